//! Money before goods (先款后货): a prepaid order is dispatched when the deposit of its institution covers it, and what is
//! accepted of it is paid from there at once.

use crate::app::App;
use crate::db::WriteTxn;
use crate::orders::prepaid::{needed, reserved};
use crate::orders::{OrderFacts, PaymentMode};
use crate::refusal::{Failure, Outcome, Refusal};
use crate::settlement::deposits::{self, Deposit, NewUse};
use crate::settlement::{Settled, Target, Targets};
use crate::trail::Actor;

/// Makes the steps of prepaid orders of one institution come one after the other. Deposits are locked before orders.
pub async fn lock_deposit(txn: &WriteTxn, order: &OrderFacts) -> Outcome<()> {
    match order.payment_mode {
        PaymentMode::Prepaid => deposits::lock(txn, order.institution_id).await,
        PaymentMode::GoodsFirst => Ok(()),
    }
}

/// Refuses to dispatch a prepaid order when the deposit, less what other orders under way need of it, does not cover what
/// is still to be accepted. How much is missing is not told: households dispatch too.
pub async fn require_cover(txn: &WriteTxn, order: &OrderFacts) -> Outcome<()> {
    if order.payment_mode == PaymentMode::GoodsFirst {
        return Ok(());
    }
    lock_deposit(txn, order).await?;
    if available(txn, order).await?.free() >= needed(txn, order.id).await? {
        return Ok(());
    }
    let detail = format!(
        "Order {} is prepaid and the institution has not paid enough ahead for it yet. Dispatch once it has.",
        order.number
    );
    Err(Refusal::DepositShort { detail }.into())
}

/// Pays what was settled of a prepaid order, as far as the deposit reaches; the rest stays open as of any order.
pub async fn pay(
    txn: &WriteTxn,
    app: &App,
    actor: &Actor,
    order: &OrderFacts,
    settled: Option<&Settled>,
) -> Outcome<()> {
    let (PaymentMode::Prepaid, Some(settled)) = (order.payment_mode, settled) else { return Ok(()) };
    let owed = settled.amount.checked_add(settled.fee);
    let owed = owed.ok_or_else(|| Failure::Broken("a fee is beyond what a figure can hold".to_owned()))?;
    let amount = available(txn, order).await?.free().min(owed);
    let new = NewUse {
        county_code: order.county_code.clone(),
        institution_id: order.institution_id,
        order_id: Some(order.id),
        amount,
        targets: Targets::Chosen(vec![Target { settlement_id: settled.id, amount: None }]),
    };
    deposits::apply(txn, app, actor, new).await?;
    Ok(())
}

/// The deposit as this order may use it.
async fn available(txn: &WriteTxn, order: &OrderFacts) -> Outcome<Deposit> {
    Ok(Deposit {
        balance: deposits::balance(txn, order.institution_id).await?,
        reserved: reserved(txn, order.institution_id, Some(order.id)).await?,
    })
}
