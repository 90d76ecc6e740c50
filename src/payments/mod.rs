//! Money in: what institutions paid, which settlements it pays and what stays as a deposit. A payment is never edited;
//! one that was wrong is reversed, and the ledger keeps both.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::app::App;
use crate::db::WriteTxn;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::ledger::{self, AccountKey, AccountKind, NewEntry};
use crate::members::access::{Caller, RegionScope, Role, Scope};
use crate::money::Fen;
use crate::numbers::{self, Series};
use crate::orders;
use crate::refusal::{Failure, Outcome, Refusal};
use crate::settlement::deposits::{Reversal, balance, lock as lock_deposit};
use crate::settlement::receipts::{self, Source};
use crate::settlement::{Received, Targets};
use crate::trail::{self, Actor, Event};

pub mod api;
pub mod deposits;
mod matches;
mod rules;
mod store;

pub use matches::{BankLine, MatchKind, book_line};
pub use rules::State;

/// Money that an institution paid, as somebody who saw it arrive says.
#[derive(Clone, Debug)]
pub struct NewPayment {
    pub institution_id: Uuid,
    pub amount: Fen,
    pub received_on: NaiveDate,
    /// What the bank or the payer wrote on it.
    pub reference: String,
    /// What it pays; what is over stays on the institution's deposit account.
    pub targets: Targets,
}

/// A payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentView {
    pub id: Uuid,
    pub county_code: String,
    pub number: String,
    pub institution_id: Uuid,
    pub institution_name: String,
    pub amount: Fen,
    /// The part of it that no settlement took.
    pub deposited: Fen,
    pub received_on: NaiveDate,
    pub reference: String,
    pub state: State,
    /// Nobody when the service booked it by itself.
    pub recorded_by: Option<Uuid>,
    pub entry_id: Uuid,
    pub created_at: DateTime<Utc>,
    pub reversal: Option<Reversal>,
}

impl PaymentView {
    /// The part of it that paid settlements.
    #[must_use]
    pub fn settled(&self) -> Fen {
        self.amount.checked_sub(self.deposited).unwrap_or(Fen::ZERO)
    }
}

/// Records money that was received, as somebody says who saw it arrive.
pub async fn record(app: &App, caller: &Caller, key: &Key, new: NewPayment) -> Outcome<Once<PaymentView>> {
    caller.allow(&[Role::Finance])?;
    let region = caller.region()?;
    idempotency::once(app, key, || async {
        let txn = app.db.begin().await?;
        let payment = book(&txn, app, &caller.actor(), region, new.clone()).await?;
        idempotency::commit(txn, key, app.clock.now(), payment).await
    })
    .await
}

/// Books money that an institution of the region paid: it pays what it is for, and what is over stays on the
/// institution's deposit account.
///
/// Refused when a settlement it is for is not the institution's, is paid, or is to get more than is open of it.
pub async fn book(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    region: &RegionScope,
    new: NewPayment,
) -> Outcome<PaymentView> {
    let (now, today) = (app.clock.now(), app.clock.today());
    rules::check(new.amount, new.received_on, today)?;
    let payer = store::find_payer(txn, region, new.institution_id).await?;
    let payer = payer.ok_or(Refusal::NotFound("institution"))?;
    let received = receipts::receive(txn, payer.id, new.amount, &new.targets).await?;
    // Before the ledger, as an acceptance locks its order before the accounts too.
    orders::close_finished(txn, &received.settlement_ids(), now).await?;
    let took_more = || Failure::Broken(format!("settlements took more than {}", new.amount));
    let settled = received.total().ok_or_else(took_more)?;
    let deposited = rules::left_over(new.amount, settled).ok_or_else(took_more)?;
    let id = app.ids.next(now);
    let entry = entry_of(id, &payer, &new, settled, deposited);
    let payment = PaymentView {
        id,
        number: numbers::next_of_paper(txn, Series::Payment, &payer.county_code, today).await?,
        entry_id: ledger::post(txn, app, entry).await?,
        county_code: payer.county_code,
        institution_id: payer.id,
        institution_name: payer.name,
        amount: new.amount,
        deposited,
        received_on: new.received_on,
        reference: new.reference,
        state: State::Recorded,
        recorded_by: actor.principal_id,
        created_at: now,
        reversal: None,
    };
    store::insert(txn, &payment).await?;
    receipts::keep(txn, Source::Payment, id, &received).await?;
    let event = event("record_payment", &payment, None, figures(&payment, &received));
    trail::record(txn, &app.ids, now, actor, vec![event]).await?;
    Ok(payment)
}

/// Whether money of such an amount and day can be booked as a payment at all.
#[must_use]
pub fn is_bookable(amount: Fen, received_on: NaiveDate, today: NaiveDate) -> bool {
    rules::check(amount, received_on, today).is_ok()
}

/// The payments the caller may see, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    institution_id: Option<Uuid>,
    request: PageRequest,
) -> Outcome<Page<PaymentView>> {
    caller.allow(&[Role::Finance, Role::Auditor, Role::Officer, Role::Buyer, Role::Approver])?;
    let payers = match &caller.scope {
        Scope::Region(region) => store::Payers::In(region.clone()),
        Scope::Institution(id) => store::Payers::One(*id),
        Scope::Household(_) | Scope::Helper(_) => return Err(Refusal::NotAllowed.into()),
    };
    let rows = store::list(app.db.reader(), &payers, institution_id, request).await?;
    let views = rows.into_iter().map(PaymentView::try_from).collect::<Outcome<Vec<_>>>()?;
    Ok(Page::cut(views, request, |payment| payment.id))
}

/// Takes a payment back: what it paid is owed again, and the ledger gets the reversed entry.
///
/// The line of a bank statement that it was matched to is open again.
///
/// Refused with [`Refusal::WrongState`] when it was reversed before, when a part of it is in a payout, and when the deposit
/// it left was used since.
pub async fn reverse(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    reason: &str,
) -> Outcome<Once<PaymentView>> {
    caller.allow(&[Role::Finance])?;
    let region = caller.region()?;
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let found = store::lock(&txn, region, id).await?.ok_or(Refusal::NotFound("payment"))?;
        let mut payment = PaymentView::try_from(found)?;
        let before = json!({ "state": payment.state.as_str() });
        payment.state = payment.state.reverse()?;
        let reversal = Reversal { by: caller.principal_id, at: now, reason: reason.to_owned() };
        if !store::reverse(&txn, id, &reversal).await? {
            return Err(Failure::Broken(format!("payment {id} changed under its lock")));
        }
        let after = json!({ "state": payment.state.as_str(), "reason": reason });
        payment.reversal = Some(reversal);
        take_deposit_back(&txn, &payment).await?;
        matches::undo(&txn, app, &caller.actor(), &payment).await?;
        let received = receipts::kept(&txn, Source::Payment, id).await?;
        receipts::unreceive(&txn, Source::Payment, &received).await?;
        orders::reopen_unpaid(&txn, &received.settlement_ids()).await?;
        ledger::reverse(&txn, app, payment.entry_id, app.clock.today()).await?;
        let event = event("reverse_payment", &payment, Some(before), after);
        trail::record(&txn, &app.ids, now, &caller.actor(), vec![event]).await?;
        idempotency::commit(txn, key, now, payment).await
    })
    .await
}

/// Refuses when what the payment left as a deposit is not there any more. Reversed uses have put it back.
async fn take_deposit_back(txn: &WriteTxn, payment: &PaymentView) -> Outcome<()> {
    lock_deposit(txn, payment.institution_id).await?;
    if balance(txn, payment.institution_id).await? >= payment.deposited {
        return Ok(());
    }
    Err(Refusal::WrongState {
        what: "payment",
        from: "used from the deposit already, whose uses must be reversed first".to_owned(),
        attempted: "take it back",
    }
    .into())
}

/// Dr escrow; Cr receivable for what pays settlements, Cr deposit for what is over.
fn entry_of(id: Uuid, payer: &store::Payer, new: &NewPayment, settled: Fen, deposited: Fen) -> NewEntry {
    let owned = |kind| AccountKey { kind, owner: Some(payer.id) };
    NewEntry {
        county_code: payer.county_code.clone(),
        kind: "payment",
        source_kind: "payment",
        source_id: id,
        occurred_on: new.received_on,
        postings: vec![
            (AccountKey { kind: AccountKind::Escrow, owner: None }, new.amount),
            (owned(AccountKind::Receivable), settled.negated()),
            (owned(AccountKind::Deposit), deposited.negated()),
        ],
    }
}

fn figures(payment: &PaymentView, received: &Received) -> Json {
    let (parts, fees) = receipts::figures(received);
    json!({
        "institution_id": payment.institution_id,
        "number": payment.number,
        "state": payment.state.as_str(),
        "received_on": payment.received_on,
        "amount_fen": payment.amount,
        "deposited_fen": payment.deposited,
        "parts": parts,
        "fees": fees,
    })
}

fn event(action: &'static str, payment: &PaymentView, before: Option<Json>, after: Json) -> Event {
    Event {
        county_code: Some(payment.county_code.clone()),
        household_id: None,
        action,
        subject_kind: "payment",
        subject_id: payment.id,
        before,
        after: Some(after),
    }
}
