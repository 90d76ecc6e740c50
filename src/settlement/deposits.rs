//! What an institution paid ahead of what it owes, and how it is used: a use moves money from the deposit account to
//! settlements. A use is never edited; one that was wrong is reversed. Nothing here takes a deposit below zero.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::receipts::{self, Source};
use super::rules::{Received, Targets};
use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::ledger::{self, AccountKey, AccountKind, NewEntry};
use crate::members::access::RegionScope;
use crate::money::Fen;
use crate::numbers::{self, Series};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::trail::{self, Actor, Event};

mod store;

/// What an institution has on deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    pub balance: Fen,
    /// What prepaid orders under way still need of it.
    pub reserved: Fen,
}

impl Deposit {
    /// What may be used for anything else.
    #[must_use]
    pub fn free(&self) -> Fen {
        self.balance.checked_sub(self.reserved).unwrap_or(Fen::ZERO).max(Fen::ZERO)
    }
}

/// A use that is to be made.
#[derive(Clone, Debug)]
pub struct NewUse {
    pub county_code: String,
    pub institution_id: Uuid,
    /// The prepaid order whose acceptance made it.
    pub order_id: Option<Uuid>,
    pub amount: Fen,
    pub targets: Targets,
}

/// A deposit that paid settlements.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UseView {
    pub id: Uuid,
    pub county_code: String,
    pub number: String,
    pub institution_id: Uuid,
    pub order_id: Option<Uuid>,
    pub amount: Fen,
    pub used_on: NaiveDate,
    /// Nobody when the service used it by itself.
    pub used_by: Option<Uuid>,
    pub entry_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub reversal: Option<Reversal>,
}

/// Who took a payment or the use of a deposit back, when and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reversal {
    pub by: Uuid,
    pub at: DateTime<Utc>,
    pub reason: String,
}

/// Locks what decides over an institution's deposit until the transaction ends: whoever books money of the institution or
/// looks at its deposit before using it comes one after the other. Lock it before orders, lines and accounts.
pub async fn lock(txn: &WriteTxn, institution_id: Uuid) -> Outcome<()> {
    lock_all(txn, &[institution_id]).await
}

/// The same for several institutions, locked in the order of their ids.
pub async fn lock_all(txn: &WriteTxn, institution_ids: &[Uuid]) -> Outcome<()> {
    Ok(receipts::lock_institutions(txn, institution_ids).await?)
}

/// What the institution's deposit account holds.
pub async fn balance(connection: &impl ConnectionTrait, institution_id: Uuid) -> Outcome<Fen> {
    Ok(store::balance(connection, institution_id).await?)
}

/// Uses `amount` of a deposit, locked by [`lock`], for settlements: Dr deposit, Cr receivable. None when there is nothing
/// open that it could pay, or nothing to use.
///
/// Refused when a chosen settlement cannot be paid. The ledger refuses to go below zero.
pub async fn apply(txn: &WriteTxn, app: &App, actor: &Actor, new: NewUse) -> Outcome<Option<UsedDeposit>> {
    if new.amount <= Fen::ZERO {
        return Ok(None);
    }
    let received = receipts::receive(txn, new.institution_id, new.amount, &new.targets).await?;
    let amount = received
        .total()
        .ok_or_else(|| Failure::Broken("the use of a deposit is beyond what a figure can hold".to_owned()))?;
    if amount == Fen::ZERO {
        return Ok(None);
    }
    let (now, today) = (app.clock.now(), app.clock.today());
    let id = app.ids.next(now);
    let number = numbers::next_of_paper(txn, Series::DepositUse, &new.county_code, today).await?;
    let owned = |kind| AccountKey { kind, owner: Some(new.institution_id) };
    let entry = NewEntry {
        county_code: new.county_code.clone(),
        kind: "deposit_use",
        source_kind: "deposit_use",
        source_id: id,
        occurred_on: today,
        postings: vec![
            (owned(AccountKind::Deposit), amount),
            (owned(AccountKind::Receivable), amount.negated()),
        ],
    };
    let view = UseView {
        id,
        county_code: new.county_code,
        number,
        institution_id: new.institution_id,
        order_id: new.order_id,
        amount,
        used_on: today,
        used_by: actor.principal_id,
        entry_id: ledger::post(txn, app, entry).await?,
        created_at: now,
        reversal: None,
    };
    store::insert(txn, &view).await?;
    receipts::keep(txn, Source::DepositUse, id, &received).await?;
    let event = event("use_deposit", &view, None, figures(&view, &received));
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(Some(UsedDeposit { view, received }))
}

/// A use with what it paid.
#[derive(Clone, Debug)]
pub struct UsedDeposit {
    pub view: UseView,
    pub received: Received,
}

/// Takes a use back: what it paid is owed again and the money is on deposit again.
///
/// Refused with [`Refusal::WrongState`] when it was reversed before or when a part of it is in a payout.
pub async fn reverse(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    region: &RegionScope,
    id: Uuid,
    reversal: Reversal,
) -> Outcome<UsedDeposit> {
    let found = store::lock_use(txn, region, id).await?;
    let mut view = found.ok_or(Refusal::NotFound("deposit use"))?;
    if view.reversal.is_some() {
        let from = "reversed".to_owned();
        return Err(Refusal::WrongState { what: "deposit use", from, attempted: "reverse it" }.into());
    }
    if !store::reverse(txn, id, &reversal).await? {
        return Err(Failure::Broken(format!("deposit use {id} changed under its lock")));
    }
    lock(txn, view.institution_id).await?;
    let received = receipts::kept(txn, Source::DepositUse, id).await?;
    receipts::unreceive(txn, Source::DepositUse, &received).await?;
    ledger::reverse(txn, app, view.entry_id, app.clock.today()).await?;
    let after = json!({ "state": "reversed", "reason": reversal.reason });
    let event = event("reverse_deposit_use", &view, Some(json!({ "state": "recorded" })), after);
    trail::record(txn, &app.ids, reversal.at, actor, vec![event]).await?;
    view.reversal = Some(reversal);
    Ok(UsedDeposit { view, received })
}

/// The uses of an institution's deposit, newest first; the caller checks whose it is.
pub async fn list(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    request: PageRequest,
) -> Outcome<Page<UseView>> {
    let uses = store::list(connection, institution_id, request).await?;
    Ok(Page::cut(uses, request, |one| one.id))
}

fn figures(view: &UseView, received: &Received) -> Json {
    let (parts, fees) = receipts::figures(received);
    json!({
        "institution_id": view.institution_id, "number": view.number, "state": "recorded",
        "order_id": view.order_id, "used_on": view.used_on, "amount_fen": view.amount, "parts": parts,
        "fees": fees,
    })
}

fn event(action: &'static str, view: &UseView, before: Option<Json>, after: Json) -> Event {
    Event {
        county_code: Some(view.county_code.clone()),
        household_id: None,
        action,
        subject_kind: "deposit_use",
        subject_id: view.id,
        before,
        after: Some(after),
    }
}
