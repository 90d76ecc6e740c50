//! Money against settlements: what a payment pays line by line, and what of it goes out to households. Every function
//! takes the open transaction, changes all its rows in one statement, and refuses when one of them is not as expected.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use sea_orm::ConnectionTrait;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::rules::{self, Received, Targets};
use crate::db::WriteTxn;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome, Refusal};

mod store;

pub(super) use store::lock_institutions;

/// What of a line was received and not yet paid out, or a part of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayableLine {
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
}

/// Receives `amount` from an institution for `targets`: the oldest settlement first, within one the households' lines by
/// largest remainder over what is open, and its fee last. The parts sum to less than `amount` when more was paid than
/// they may take.
///
/// Refused when a chosen settlement is not the institution's, is paid, or is to get more than is open of it.
pub async fn receive(
    txn: &WriteTxn,
    institution_id: Uuid,
    amount: Fen,
    targets: &Targets,
) -> Outcome<Received> {
    lock_institutions(txn, &[institution_id]).await?;
    let (named, open) = match targets {
        Targets::Deposit => return Ok(Received::default()),
        Targets::OldestFirst => (HashMap::new(), store::open_settlements(txn, institution_id, amount).await?),
        Targets::Chosen(chosen) => {
            let ids: Vec<Uuid> = chosen.iter().map(|target| target.settlement_id).collect();
            let owed = store::payables(txn, institution_id, &ids).await?;
            (rules::check_targets(amount, chosen, &owed)?, store::open_settlements_of(txn, &ids).await?)
        }
    };
    let received = rules::share(amount, &named, &open).ok_or_else(too_large)?;
    if !move_received(txn, &received, Direction::In).await? {
        return Err(Failure::Broken("a line was open when read and not when written".to_owned()));
    }
    Ok(received)
}

/// What money is received by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Payment,
    DepositUse,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::DepositUse => "deposit use",
        }
    }
}

/// Keeps what was received by a payment or by the use of a deposit: the households' lines, and fees.
pub async fn keep(txn: &WriteTxn, by: Source, id: Uuid, received: &Received) -> Outcome<()> {
    Ok(store::insert_parts(txn, by, id, received).await?)
}

/// The figures of what was received, for the trail.
#[must_use]
pub fn figures(received: &Received) -> (Vec<Json>, Vec<Json>) {
    let parts = received.parts.iter();
    let parts = parts
        .map(|part| json!({ "settlement_line_id": part.settlement_line_id, "amount_fen": part.amount }))
        .collect();
    let fees = received.fees.iter();
    let fees =
        fees.map(|fee| json!({ "settlement_id": fee.settlement_id, "amount_fen": fee.amount })).collect();
    (parts, fees)
}

/// What [`keep`] kept.
pub async fn kept(connection: &impl ConnectionTrait, by: Source, id: Uuid) -> Outcome<Received> {
    Ok(store::parts_of(connection, by, id).await?)
}

/// Takes back what a payment or the use of a deposit gave. Refused when some of it was paid out to households.
pub async fn unreceive(txn: &WriteTxn, by: Source, received: &Received) -> Outcome<()> {
    if move_received(txn, received, Direction::Out).await? {
        return Ok(());
    }
    Err(Refusal::WrongState {
        what: by.name(),
        from: "paid out to households already".to_owned(),
        attempted: "take it back",
    }
    .into())
}

/// What a household is owed and cannot be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub household_id: Uuid,
    pub amount: Fen,
    /// Whether it has a registered bank account.
    pub has_account: bool,
}

/// What may be paid out of sales up to a day, household by household: to those with a registered bank account that are
/// not among the `held`.
pub async fn payable(
    connection: &impl ConnectionTrait,
    county_code: &str,
    up_to: NaiveDate,
    held: &[Uuid],
    limit: u64,
) -> Outcome<Vec<PayableLine>> {
    Ok(store::payable(connection, county_code, up_to, held, limit).await?)
}

/// What was received for the other households out of the same sales, one sum each.
pub async fn waiting(
    connection: &impl ConnectionTrait,
    county_code: &str,
    up_to: NaiveDate,
    held: &[Uuid],
    limit: u64,
) -> Outcome<Vec<Waiting>> {
    Ok(store::waiting(connection, county_code, up_to, held, limit).await?)
}

/// Notes that parts, as [`payable`] answered them in this transaction, go out to households. When one of them was taken
/// back or went out meanwhile the race is lost, and the caller's transaction begins anew.
pub async fn mark_paid_out(txn: &WriteTxn, parts: &[PayableLine]) -> Outcome<()> {
    store::lock_lines(txn, &line_ids(parts)).await?;
    if is_all(store::add_paid_out(txn, parts).await?, parts.len()) { Ok(()) } else { Err(Failure::LostRace) }
}

/// Takes back what [`mark_paid_out`] noted, for a payout that came back.
pub async fn unmark_paid_out(txn: &WriteTxn, parts: &[PayableLine]) -> Outcome<()> {
    store::lock_lines(txn, &line_ids(parts)).await?;
    if is_all(store::subtract_paid_out(txn, parts).await?, parts.len()) {
        Ok(())
    } else {
        Err(Failure::Broken("a payout came back that never went out".to_owned()))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    In,
    Out,
}

/// Moves the received amounts of lines and of their settlements; `false` when one of them cannot be moved so far.
async fn move_received(txn: &WriteTxn, received: &Received, direction: Direction) -> Outcome<bool> {
    let mut settlements: BTreeMap<Uuid, store::Move> = BTreeMap::new();
    for part in &received.parts {
        let sum = &mut settlements.entry(part.settlement_id).or_default().goods;
        *sum = sum.checked_add(part.amount).ok_or_else(too_large)?;
    }
    for fee in &received.fees {
        let sum = &mut settlements.entry(fee.settlement_id).or_default().fee;
        *sum = sum.checked_add(fee.amount).ok_or_else(too_large)?;
    }
    let lines: Vec<(Uuid, Fen)> =
        received.parts.iter().map(|part| (part.settlement_line_id, part.amount)).collect();
    let settlements: Vec<(Uuid, store::Move)> = settlements.into_iter().collect();
    let line_ids: Vec<Uuid> = lines.iter().map(|line| line.0).collect();
    let settlement_ids: Vec<Uuid> = settlements.iter().map(|settlement| settlement.0).collect();
    store::lock_lines(txn, &line_ids).await?;
    store::lock_settlements(txn, &settlement_ids).await?;
    let (moved_lines, moved_settlements) = match direction {
        Direction::In => {
            (store::add_to_lines(txn, &lines).await?, store::add_to_settlements(txn, &settlements).await?)
        }
        Direction::Out => (
            store::subtract_from_lines(txn, &lines).await?,
            store::subtract_from_settlements(txn, &settlements).await?,
        ),
    };
    Ok(is_all(moved_lines, lines.len()) && is_all(moved_settlements, settlements.len()))
}

fn line_ids(parts: &[PayableLine]) -> Vec<Uuid> {
    parts.iter().map(|part| part.settlement_line_id).collect()
}

fn is_all(changed: u64, expected: usize) -> bool {
    usize::try_from(changed).ok() == Some(expected)
}

fn too_large() -> Failure {
    Failure::Broken("an amount is beyond what a figure can hold".to_owned())
}
