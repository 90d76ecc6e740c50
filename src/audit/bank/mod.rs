//! The books against the bank (账实相符): what statements say is on a county's accounts against what the ledger says is in
//! escrow, at the end of the newest statement, explained by what stands on one side alone. Reads only.

use std::collections::{BTreeMap, HashSet};

use chrono::{Days, NaiveDate};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::members::access::CountyScope;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};

mod rules;
mod store;

pub use rules::{Item, Reconciliation};

/// Lines, or movements of the books, that are compared at most.
pub const ITEMS_MAX: usize = 500_000;

/// A day after all statements.
pub const WHENEVER: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(day) => day,
    None => NaiveDate::MAX,
};

/// An account at a bank and its newest statement in CNY.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Account {
    pub county_code: String,
    pub statement_id: Uuid,
    /// Tells the accounts of a county apart; empty when the file names none.
    pub account: String,
    pub masked: Option<String>,
    /// The first day of its first statement.
    pub first_on: NaiveDate,
    pub to_on: NaiveDate,
    pub closing_fen: i64,
}

/// The reconciliation of one county.
#[derive(Clone, Debug)]
pub struct CountyReconciliation {
    pub county_code: String,
    /// The last day of its newest statement.
    pub as_of: NaiveDate,
    pub accounts: Vec<Account>,
    pub told: Reconciliation,
}

impl CountyReconciliation {
    /// Names this very difference, so that a person can explain it once.
    #[must_use]
    pub fn difference_key(&self) -> String {
        format!("{}/{}", self.county_code, self.told.difference)
    }

    /// The newest statement of all.
    #[must_use]
    pub fn newest(&self) -> Option<&Account> {
        self.accounts.iter().max_by_key(|account| (account.to_on, account.statement_id))
    }
}

/// The reconciliations of counties with statements in CNY by a day, in the order of their codes.
pub async fn reconcile(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    as_of: NaiveDate,
) -> Outcome<Vec<CountyReconciliation>> {
    let mut by_county: BTreeMap<String, Vec<Account>> = BTreeMap::new();
    for account in store::accounts(connection, counties, as_of).await? {
        by_county.entry(account.county_code.clone()).or_default().push(account);
    }
    let mut told = Vec::with_capacity(by_county.len());
    for (county_code, accounts) in by_county {
        told.push(of_county(connection, county_code, accounts).await?);
    }
    Ok(told)
}

/// Whether a person has explained the difference with evidence.
pub async fn is_explained(connection: &impl ConnectionTrait, told: &CountyReconciliation) -> Outcome<bool> {
    Ok(store::is_explained(connection, &told.difference_key()).await?)
}

async fn of_county(
    connection: &impl ConnectionTrait,
    county_code: String,
    accounts: Vec<Account>,
) -> Outcome<CountyReconciliation> {
    let empty = || Failure::Broken("a county without accounts was reconciled".to_owned());
    let from = accounts.iter().map(|account| account.first_on).min().ok_or_else(empty)?;
    let as_of = accounts.iter().map(|account| account.to_on).max().ok_or_else(empty)?;
    let closings = accounts.iter().map(|account| Fen::new(account.closing_fen));
    let bank = closings.into_iter().try_fold(Fen::ZERO, Fen::checked_add).ok_or_else(too_large)?;
    let book = store::escrow(connection, &county_code, as_of).await?;
    // Money that was booked shortly before the first statement may stand on it.
    let shortly_before = from.checked_sub_days(Days::new(rules::PAIR_DAYS_MAX)).unwrap_or(from);
    let lines = bounded(store::lines(connection, &county_code, (from, as_of)).await?)?;
    let moves = bounded(store::moves(connection, &county_code, (shortly_before, as_of)).await?)?;
    let (moves, lines) = rules::unpaired(moves, lines);
    let (mut moves, lines) = one_by_one(connection, moves, lines).await?;
    moves.retain(|item| item.day >= from);
    let told = rules::reconcile(bank, book, moves, lines).ok_or_else(too_large)?;
    Ok(CountyReconciliation { county_code, as_of, accounts, told })
}

/// A batch that the bank does not tell of in one sum may stand there payout by payout.
async fn one_by_one(
    connection: &impl ConnectionTrait,
    moves: Vec<Item>,
    lines: Vec<Item>,
) -> Outcome<(Vec<Item>, Vec<Item>)> {
    let outgoing: Vec<Uuid> =
        moves.iter().filter(|item| item.amount < Fen::ZERO).map(|item| item.id).collect();
    if outgoing.is_empty() || lines.iter().all(|line| line.amount > Fen::ZERO) {
        return Ok((moves, lines));
    }
    let payouts = bounded(store::payouts_of(connection, &outgoing).await?)?;
    let (payouts_left, lines_left) =
        rules::unpaired(payouts.iter().map(|(_, item)| item.clone()).collect(), lines);
    let left: HashSet<Uuid> = payouts_left.iter().map(|item| item.id).collect();
    // A batch of which not one payout stands at the bank stays one item.
    let split: HashSet<Uuid> =
        payouts.iter().filter(|(_, item)| !left.contains(&item.id)).map(|(entry_id, _)| *entry_id).collect();
    let mut moves: Vec<Item> = moves.into_iter().filter(|item| !split.contains(&item.id)).collect();
    moves.extend(
        payouts
            .into_iter()
            .filter(|(entry_id, item)| split.contains(entry_id) && left.contains(&item.id))
            .map(|(_, item)| item),
    );
    moves.sort_by_key(|item| (item.day, item.id));
    Ok((moves, lines_left))
}

fn bounded<T>(items: Vec<T>) -> Outcome<Vec<T>> {
    if items.len() > ITEMS_MAX {
        return Err(Failure::Broken(format!("more than {ITEMS_MAX} movements wait to be reconciled")));
    }
    Ok(items)
}

fn too_large() -> Failure {
    Failure::Broken("an amount is beyond what a figure can hold".to_owned())
}
