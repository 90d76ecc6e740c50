//! What institutions paid ahead, as finance uses it and as they see it themselves. The money moves in
//! `settlement::deposits`; here is who may do it, and what it does to orders.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::app::App;
use crate::http::page::{Page, PageRequest};
use crate::idempotency::{self, Key, Once};
use crate::members::access::{Caller, Role};
use crate::members::institutions;
use crate::money::Fen;
use crate::orders;
use crate::orders::prepaid::reserved;
use crate::refusal::{Outcome, Refusal};
use crate::settlement::Targets;
use crate::settlement::deposits::{self, Deposit, NewUse, Reversal, UseView};

pub mod api;

/// Who reads deposits: those who handle money, and the institution itself.
const READERS: [Role; 4] = [Role::Finance, Role::Auditor, Role::Buyer, Role::Approver];

/// What an institution has on deposit, and how much of it prepaid orders under way need.
pub async fn get(app: &App, caller: &Caller, institution_id: Uuid) -> Outcome<Deposit> {
    caller.allow(&READERS)?;
    let reader = app.db.reader();
    let institution = institutions::visible(reader, &caller.scope, institution_id).await?;
    of(reader, institution.id).await
}

/// The uses of an institution's deposit, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    institution_id: Uuid,
    request: PageRequest,
) -> Outcome<Page<UseView>> {
    caller.allow(&READERS)?;
    let reader = app.db.reader();
    let institution = institutions::visible(reader, &caller.scope, institution_id).await?;
    deposits::list(reader, institution.id, request).await
}

/// Uses a deposit for settlements: `amount` of it, or as much as is free and they take.
///
/// Refused when less is free than `amount`, when the settlements do not take all of it, and when a chosen one cannot be
/// paid.
pub async fn apply(
    app: &App,
    caller: &Caller,
    key: &Key,
    institution_id: Uuid,
    amount: Option<Fen>,
    targets: &Targets,
) -> Outcome<Once<UseView>> {
    caller.allow(&[Role::Finance])?;
    if amount.is_some_and(|amount| amount <= Fen::ZERO) {
        return Err(Refusal::invalid("/amount", "use more than 0.00 of a deposit").into());
    }
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let institution = institutions::visible(&txn, &caller.scope, institution_id).await?;
        deposits::lock(&txn, institution.id).await?;
        let free = of(&txn, institution.id).await?.free();
        if free == Fen::ZERO || amount.is_some_and(|amount| amount > free) {
            return Err(short(free).into());
        }
        let new = NewUse {
            county_code: institution.county_code,
            institution_id: institution.id,
            order_id: None,
            amount: amount.unwrap_or(free),
            targets: targets.clone(),
        };
        let used = deposits::apply(&txn, app, &caller.actor(), new).await?;
        let used = used.ok_or_else(|| Refusal::invalid("", "the institution owes nothing"))?;
        if amount.is_some_and(|amount| amount > used.view.amount) {
            let detail = format!("{} are open; the rest would stay on the deposit", used.view.amount);
            return Err(Refusal::invalid("/amount", detail).into());
        }
        orders::close_finished(&txn, &used.received.settlement_ids(), now).await?;
        idempotency::commit(txn, key, now, used.view).await
    })
    .await
}

/// Takes the use of a deposit back: what it paid is owed again, and the money is on deposit again.
///
/// Refused with [`Refusal::WrongState`] when it was reversed before or when a part of it is in a payout.
pub async fn reverse(
    app: &App,
    caller: &Caller,
    key: &Key,
    id: Uuid,
    reason: &str,
) -> Outcome<Once<UseView>> {
    caller.allow(&[Role::Finance])?;
    let region = caller.region()?;
    idempotency::once(app, key, || async {
        let now = app.clock.now();
        let txn = app.db.begin().await?;
        let reversal = Reversal { by: caller.principal_id, at: now, reason: reason.to_owned() };
        let undone = deposits::reverse(&txn, app, &caller.actor(), region, id, reversal).await?;
        orders::reopen_unpaid(&txn, &undone.received.settlement_ids()).await?;
        idempotency::commit(txn, key, now, undone.view).await
    })
    .await
}

/// What of an institution's deposit is not needed by prepaid orders under way.
pub async fn free(connection: &impl ConnectionTrait, institution_id: Uuid) -> Outcome<Fen> {
    Ok(of(connection, institution_id).await?.free())
}

async fn of(connection: &impl ConnectionTrait, institution_id: Uuid) -> Outcome<Deposit> {
    Ok(Deposit {
        balance: deposits::balance(connection, institution_id).await?,
        reserved: reserved(connection, institution_id, None).await?,
    })
}

fn short(free: Fen) -> Refusal {
    Refusal::DepositShort {
        detail: format!("{free} of the deposit are free. Use less, or record a payment."),
    }
}
