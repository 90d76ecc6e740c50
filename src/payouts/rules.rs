//! What goes into a payout batch, who may take it further, and what the bank's answers mean. Pure; knows no database
//! and no time of day.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::money::Fen;
use crate::refusal::Refusal;

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchState {
    /// The money is reserved; a second person has to approve.
    Drafted,
    /// The bank is instructed.
    Approved,
    /// Every payout has its result.
    Executed,
}

impl BatchState {
    pub const ALL: [Self; 3] = [Self::Drafted, Self::Approved, Self::Executed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Approved => "approved",
            Self::Executed => "executed",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Refuses a batch that is approved already, and the person who made it.
    pub fn approve(self, made_by: Uuid, approver: Uuid) -> Result<Self, Refusal> {
        match self {
            Self::Drafted if made_by == approver => Err(Refusal::SecondPersonNeeded),
            Self::Drafted => Ok(Self::Approved),
            Self::Approved | Self::Executed => Err(self.refuse("approve")),
        }
    }

    /// Refuses results of a batch that the bank was not instructed to pay, or that has them all.
    pub fn take_results(self) -> Result<(), Refusal> {
        match self {
            Self::Approved => Ok(()),
            Self::Drafted | Self::Executed => Err(self.refuse("record results of")),
        }
    }

    fn refuse(self, attempted: &'static str) -> Refusal {
        Refusal::WrongState { what: "payout batch", from: self.as_str().to_owned(), attempted }
    }
}

/// How far a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayoutState {
    Drafted,
    Instructed,
    Paid,
    Returned,
}

impl PayoutState {
    pub const ALL: [Self; 4] = [Self::Drafted, Self::Instructed, Self::Paid, Self::Returned];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Instructed => "instructed",
            Self::Paid => "paid",
            Self::Returned => "returned",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// What the bank did with a payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BankResult {
    Paid,
    /// The money came back.
    Returned {
        reason: String,
    },
}

impl BankResult {
    #[must_use]
    pub const fn state(&self) -> PayoutState {
        match self {
            Self::Paid => PayoutState::Paid,
            Self::Returned { .. } => PayoutState::Returned,
        }
    }

    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Paid => None,
            Self::Returned { reason } => Some(reason),
        }
    }
}

/// What waits to be paid out of one settlement line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
}

/// Everything one household gets in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub household_id: Uuid,
    pub amount: Fen,
    pub parts: Vec<Due>,
}

/// One share per household in the order of their ids, at most `households_max`, and whether something is left for the
/// next batch. `None` when a household would get more than a figure can hold.
#[must_use]
pub fn gather(due: &[Due], households_max: usize) -> Option<(Vec<Share>, bool)> {
    let mut by_household: BTreeMap<Uuid, Vec<Due>> = BTreeMap::new();
    for part in due {
        by_household.entry(part.household_id).or_default().push(*part);
    }
    let has_rest = by_household.len() > households_max;
    let shares = by_household.into_iter().take(households_max).map(|(household_id, parts)| {
        let amount = total(parts.iter().map(|part| part.amount))?;
        Some(Share { household_id, amount, parts })
    });
    Some((shares.collect::<Option<Vec<_>>>()?, has_rest))
}

/// The sum, or `None` beyond what a figure can hold.
pub fn total(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

/// A payout that the bank was asked to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructed {
    pub id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
    pub state: PayoutState,
}

/// Puts every result to its payout. Refuses a payout named twice, one of another batch, and one that has its result.
pub fn matched(
    results: &[(Uuid, BankResult)],
    found: &[Instructed],
) -> Result<Vec<(Instructed, BankResult)>, Refusal> {
    let by_id: HashMap<Uuid, Instructed> = found.iter().map(|payout| (payout.id, *payout)).collect();
    let mut seen = HashSet::new();
    let matched = results.iter().enumerate().map(|(index, (payout_id, result))| {
        let pointer = format!("/results/{index}/payout_id");
        if !seen.insert(*payout_id) {
            return Err(Refusal::invalid(pointer, "this payout is named twice"));
        }
        match by_id.get(payout_id) {
            None => Err(Refusal::invalid(pointer, "this is not a payout of this batch")),
            Some(payout) if payout.state == PayoutState::Instructed => Ok((*payout, result.clone())),
            Some(payout) => Err(Refusal::WrongState {
                what: "payout",
                from: format!("{} ({payout_id})", payout.state.as_str()),
                attempted: "record a result of",
            }),
        }
    });
    matched.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(line: u128, household: u128, fen: i64) -> Due {
        Due {
            settlement_line_id: Uuid::from_u128(line),
            household_id: Uuid::from_u128(household),
            amount: Fen::new(fen),
        }
    }

    fn instructed(id: u128, state: PayoutState) -> Instructed {
        Instructed { id: Uuid::from_u128(id), household_id: Uuid::from_u128(9), amount: Fen::new(1), state }
    }

    #[test]
    fn a_household_gets_one_share_that_is_the_sum_of_its_lines() {
        let (shares, has_rest) = gather(&[due(1, 7, 100), due(2, 8, 5), due(3, 7, 1)], 10).unwrap();
        let amounts: Vec<i64> = shares.iter().map(|share| share.amount.get()).collect();
        assert_eq!((amounts, has_rest), (vec![101, 5], false));
        assert_eq!(shares[0].parts.len(), 2);
    }

    #[test]
    fn the_households_beyond_the_most_of_a_batch_are_left_for_the_next() {
        let (shares, has_rest) = gather(&[due(1, 7, 1), due(2, 8, 1), due(3, 9, 1)], 2).unwrap();
        assert_eq!((shares.len(), has_rest), (2, true));
    }

    #[test]
    fn only_somebody_else_approves_a_batch_and_only_once() {
        let (maker, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(BatchState::Drafted.approve(maker, other), Ok(BatchState::Approved));
        assert_eq!(BatchState::Drafted.approve(maker, maker), Err(Refusal::SecondPersonNeeded));
        assert!(matches!(BatchState::Approved.approve(maker, other), Err(Refusal::WrongState { .. })));
        assert!(matches!(BatchState::Drafted.take_results(), Err(Refusal::WrongState { .. })));
        assert!(matches!(BatchState::Executed.take_results(), Err(Refusal::WrongState { .. })));
    }

    #[test]
    fn a_result_is_for_a_payout_of_the_batch_that_has_none_and_named_once() {
        let one = Uuid::from_u128(1);
        let found = [instructed(1, PayoutState::Instructed), instructed(2, PayoutState::Paid)];
        assert_eq!(matched(&[(one, BankResult::Paid)], &found).unwrap().len(), 1);
        let twice = matched(&[(one, BankResult::Paid), (one, BankResult::Paid)], &found);
        assert!(matches!(twice, Err(Refusal::Invalid { pointer, .. }) if pointer == "/results/1/payout_id"));
        let foreign = matched(&[(Uuid::from_u128(3), BankResult::Paid)], &found);
        assert!(matches!(foreign, Err(Refusal::Invalid { .. })));
        let again = matched(&[(Uuid::from_u128(2), BankResult::Paid)], &found);
        assert!(matches!(again, Err(Refusal::WrongState { .. })));
    }

    proptest! {
        #[test]
        fn shares_sum_to_what_is_due(parts in prop::collection::vec((1_u128..20, 1_i64..1_000_000), 1..80)) {
            let due: Vec<Due> = (0_u128..).zip(&parts).map(|(line, (house, fen))| due(line, *house, *fen)).collect();
            let (shares, has_rest) = gather(&due, 100).unwrap();
            prop_assert!(!has_rest);
            let shared: i64 = shares.iter().map(|share| share.amount.get()).sum();
            prop_assert_eq!(shared, parts.iter().map(|part| part.1).sum::<i64>());
            prop_assert!(shares.windows(2).all(|pair| pair[0].household_id < pair[1].household_id));
        }
    }
}
