//! What is paid late: how many days, with how much interest, and by whom so long that nothing more is sold to them on
//! credit. As of any day: money counts from the day it came, if its payment stood at the end of the day that is asked
//! about. So a past day answers the same for ever, but for money that is booked late.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::{SettlementView, Sight};
use crate::money::Fen;
use crate::refusal::{Outcome, OverdueSettlement};

mod rules;
mod store;

pub use rules::{Receipt, days_overdue, since_due};
use store::Seen;
pub use store::{payment_stood, use_stood};

/// How many settlements a refusal names at most; it sums them all.
const NAMED_MAX: usize = 20;

/// What came for a settlement up to a day.
#[derive(Clone, Debug, Default)]
pub struct Receipts {
    /// For its lines.
    pub goods: Vec<Receipt>,
    pub fee: Fen,
}

/// How late a settlement is as of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// What households wait for.
    pub goods_open: Fen,
    pub fee_open: Fen,
    pub days_overdue: i64,
    /// What accrued since the due day, also when all is paid by now. The operator's fee bears none.
    pub interest: Fen,
}

/// How late it is that `goods` and `fee` were due on a day, as of another.
#[must_use]
pub fn lateness(goods: Fen, fee: Fen, received: &Receipts, due_on: NaiveDate, on: NaiveDate) -> Lateness {
    let came = received.goods.iter().map(|receipt| receipt.amount).sum();
    let left = |owed: Fen, came: Fen| owed.checked_sub(came).map_or(Fen::ZERO, |open| open.max(Fen::ZERO));
    let (goods_open, fee_open) = (left(goods, came), left(fee, received.fee));
    Lateness {
        goods_open,
        fee_open,
        days_overdue: days_overdue([goods_open, fee_open].into_iter().sum(), due_on, on),
        interest: since_due(goods, &received.goods, due_on, on).rounded(),
    }
}

/// What came for whole settlements, as it stood at the end of a day. One statement.
pub async fn receipts_of(
    connection: &impl ConnectionTrait,
    settlement_ids: &[Uuid],
    on: NaiveDate,
) -> Outcome<HashMap<Uuid, Receipts>> {
    Ok(store::receipts(connection, settlement_ids, &Seen::all(), on).await?)
}

/// Fills in how late settlements are as of a day, each by the lines that its reader sees.
pub(super) async fn judge(
    connection: &impl ConnectionTrait,
    sight: &Sight,
    views: &mut [SettlementView],
    on: NaiveDate,
) -> Outcome<()> {
    let late: Vec<Uuid> = views.iter().filter(|view| view.due_on < on).map(|view| view.id).collect();
    if late.is_empty() {
        return Ok(());
    }
    let received = store::receipts(connection, &late, &Seen::of(sight), on).await?;
    let none = Receipts::default();
    for view in views.iter_mut().filter(|view| view.due_on < on) {
        let came = received.get(&view.id).unwrap_or(&none);
        let found = lateness(view.amount, view.fee, came, view.due_on, on);
        (view.days_overdue, view.interest) = (found.days_overdue, found.interest);
    }
    Ok(())
}

/// Debt that was due before this day is too old to sell on credit.
#[must_use]
pub fn too_old_before(today: NaiveDate, block_days: i64) -> NaiveDate {
    let days = u64::try_from(block_days).unwrap_or(0);
    today.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

/// The condition that an institution owes nothing that was due before a day, for the statement of another slice: two
/// columns of its rows. A row without the day meets it.
#[must_use]
pub fn owes_nothing(institution_id: &str, due_before: &str) -> String {
    store::owes_nothing(institution_id, due_before)
}

/// What an institution owes that was due before a day: the oldest settlements, and the sum over all of them.
pub async fn debts(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    due_before: NaiveDate,
) -> Outcome<(Vec<OverdueSettlement>, Fen)> {
    let mut debts = store::debts(connection, institution_id, due_before).await?;
    let total = debts.iter().map(|debt| debt.open).sum();
    debts.truncate(NAMED_MAX);
    Ok((debts, total))
}
