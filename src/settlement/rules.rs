//! What is owed line by line, how far it is paid, and how a payment is shared over lines. Pure.

use std::collections::HashMap;

use uuid::Uuid;

use crate::money::{self, Fen};
use crate::refusal::Refusal;

/// Settlements that one payment names at most.
pub const TARGETS_MAX: usize = 100;

/// How far a settlement is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlementState {
    Open,
    PartPaid,
    Paid,
}

impl SettlementState {
    /// Of what is owed and what was received. Owing nothing is paid.
    #[must_use]
    pub fn of(amount: Fen, received: Fen) -> Self {
        if received >= amount {
            Self::Paid
        } else if received == Fen::ZERO {
            Self::Open
        } else {
            Self::PartPaid
        }
    }
}

/// A line that is not paid in full.
#[derive(Clone, Debug)]
pub struct OpenLine {
    pub settlement_id: Uuid,
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    /// Above zero.
    pub open: Fen,
}

/// What a payment pays of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPart {
    pub settlement_id: Uuid,
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
}

/// What an amount that an institution paid is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Whatever the institution owes, the oldest settlement first.
    OldestFirst,
    /// These settlements and no others.
    Chosen(Vec<Target>),
    /// Nothing yet: all of it stays on deposit.
    Deposit,
}

/// A settlement that is to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub settlement_id: Uuid,
    /// Exactly so much of it; as much as there is when it is left out.
    pub amount: Option<Fen>,
}

/// A settlement of the institution as a payment finds it.
#[derive(Clone, Debug)]
pub struct Payable {
    pub settlement_id: Uuid,
    pub open: Fen,
}

/// Checks chosen settlements against those the institution has, and answers the amounts that are named. Refused when one
/// is not the institution's, is paid, stands twice, or is to get more than is open of it, and when all of them are to
/// get more than `amount`.
pub fn check_targets(
    amount: Fen,
    targets: &[Target],
    owed: &[Payable],
) -> Result<HashMap<Uuid, Fen>, Refusal> {
    if targets.is_empty() || targets.len() > TARGETS_MAX {
        return Err(Refusal::invalid("/settlements", format!("name 1 to {TARGETS_MAX} settlements")));
    }
    let mut seen: HashMap<Uuid, Option<Fen>> = HashMap::new();
    for (index, target) in targets.iter().enumerate() {
        let at = |member: &str| format!("/settlements/{index}/{member}");
        let found = owed.iter().find(|payable| payable.settlement_id == target.settlement_id);
        let open = found
            .ok_or_else(|| Refusal::invalid(at("settlement_id"), "this institution has no such settlement"))?
            .open;
        if open == Fen::ZERO {
            return Err(Refusal::invalid(at("settlement_id"), "this settlement is paid in full"));
        }
        if target.amount.is_some_and(|part| part <= Fen::ZERO || part > open) {
            return Err(Refusal::invalid(at("amount"), format!("between 0.01 and the {open} that is open")));
        }
        if seen.insert(target.settlement_id, target.amount).is_some() {
            return Err(Refusal::invalid(at("settlement_id"), "this settlement is named twice"));
        }
    }
    let named: HashMap<Uuid, Fen> = seen.into_iter().filter_map(|(id, part)| Some((id, part?))).collect();
    if total(named.values().copied()).is_none_or(|sum| sum > amount) {
        return Err(Refusal::invalid("/settlements", format!("the amounts sum to more than {amount}")));
    }
    Ok(named)
}

/// Adds amounts; none when the sum is beyond what a figure can hold.
pub fn total(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

/// Shares `amount` over open lines, settlement by settlement in the given order, within one by largest remainder over
/// what is open, ties to the earlier line. A settlement in `named` gets exactly its amount; the others share what is
/// left. No line gets more than is open; what is left when all lines are paid is not in any part. None when the sums are
/// beyond what a figure can hold, or when more is named than there is.
pub fn share(amount: Fen, named: &HashMap<Uuid, Fen>, lines: &[OpenLine]) -> Option<Vec<ReceivedPart>> {
    let mut left = amount.checked_sub(total(named.values().copied())?).filter(|left| *left >= Fen::ZERO)?;
    let mut parts = Vec::new();
    for settlement in lines.chunk_by(|one, next| one.settlement_id == next.settlement_id) {
        let open: Vec<Fen> = settlement.iter().map(|line| line.open).collect();
        let whole = total(open.iter().copied())?;
        let exact = settlement.first().and_then(|line| named.get(&line.settlement_id)).copied();
        // A share of at most the whole is at most its weight, also when rounded up: the weights are whole fen.
        let paid = exact.unwrap_or(left).min(whole);
        for (line, part) in settlement.iter().zip(money::split(paid, &open)) {
            if part > Fen::ZERO {
                parts.push(ReceivedPart {
                    settlement_id: line.settlement_id,
                    settlement_line_id: line.settlement_line_id,
                    household_id: line.household_id,
                    amount: part,
                });
            }
        }
        if exact.is_none() {
            left = left.checked_sub(paid)?;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(settlement: u128, id: u128, open: i64) -> OpenLine {
        OpenLine {
            settlement_id: Uuid::from_u128(settlement),
            settlement_line_id: Uuid::from_u128(id),
            household_id: Uuid::from_u128(id),
            open: Fen::new(open),
        }
    }

    fn amounts(parts: &[ReceivedPart]) -> Vec<i64> {
        parts.iter().map(|part| part.amount.get()).collect()
    }

    #[test]
    fn a_hundred_yuan_over_three_equal_lines_gives_the_odd_fen_to_the_first() {
        let lines = [line(1, 1, 5000), line(1, 2, 5000), line(1, 3, 5000)];
        assert_eq!(amounts(&share(Fen::new(10_000), &HashMap::new(), &lines).unwrap()), [3334, 3333, 3333]);
    }

    #[test]
    fn the_first_settlement_is_paid_before_the_next() {
        let lines = [line(1, 1, 100), line(1, 2, 50), line(2, 3, 100), line(2, 4, 300)];
        assert_eq!(amounts(&share(Fen::new(149), &HashMap::new(), &lines).unwrap()), [99, 50]);
        assert_eq!(amounts(&share(Fen::new(152), &HashMap::new(), &lines).unwrap()), [100, 50, 1, 1]);
        assert_eq!(amounts(&share(Fen::new(1_000), &HashMap::new(), &lines).unwrap()), [100, 50, 100, 300]);
    }

    fn named(amounts: &[(u128, i64)]) -> HashMap<Uuid, Fen> {
        amounts.iter().map(|(id, fen)| (Uuid::from_u128(*id), Fen::new(*fen))).collect()
    }

    #[test]
    fn a_settlement_gets_the_amount_that_is_named_for_it_and_the_others_what_is_left() {
        let lines = [line(1, 1, 100), line(2, 2, 100), line(2, 3, 200), line(3, 4, 100)];
        let parts = share(Fen::new(180), &named(&[(2, 90)]), &lines).unwrap();
        assert_eq!(amounts(&parts), [90, 30, 60], "the third settlement comes too late");
        assert_eq!(share(Fen::new(89), &named(&[(2, 90)]), &lines), None);
    }

    #[test]
    fn settlements_that_cannot_be_paid_as_chosen_are_refused_where_they_stand() {
        let target = |id: u128, amount: Option<i64>| Target {
            settlement_id: Uuid::from_u128(id),
            amount: amount.map(Fen::new),
        };
        let owed = [(1, 100), (2, 50), (3, 0)]
            .map(|(id, open)| Payable { settlement_id: Uuid::from_u128(id), open: Fen::new(open) });
        let check = |targets: &[Target]| match check_targets(Fen::new(120), targets, &owed) {
            Ok(named) => named.values().map(|fen| fen.get()).sum::<i64>().to_string(),
            Err(Refusal::Invalid { pointer, .. }) => pointer,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(check(&[target(1, None), target(2, Some(50))]), "50");
        assert_eq!(check(&[]), "/settlements");
        assert_eq!(check(&[target(4, None)]), "/settlements/0/settlement_id", "of somebody else");
        assert_eq!(check(&[target(1, None), target(3, None)]), "/settlements/1/settlement_id", "paid");
        assert_eq!(check(&[target(2, None), target(2, None)]), "/settlements/1/settlement_id", "twice");
        assert_eq!(check(&[target(2, Some(51))]), "/settlements/0/amount");
        assert_eq!(check(&[target(2, Some(0))]), "/settlements/0/amount");
        assert_eq!(check(&[target(1, Some(100)), target(2, Some(21))]), "/settlements", "more than was paid");
    }

    #[test]
    fn owing_nothing_is_paid() {
        assert_eq!(SettlementState::of(Fen::ZERO, Fen::ZERO), SettlementState::Paid);
        assert_eq!(SettlementState::of(Fen::new(2), Fen::ZERO), SettlementState::Open);
        assert_eq!(SettlementState::of(Fen::new(2), Fen::new(1)), SettlementState::PartPaid);
        assert_eq!(SettlementState::of(Fen::new(2), Fen::new(2)), SettlementState::Paid);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_payment_or_to_all_that_is_open_and_no_line_gets_more_than_is_open(
            amount in 1_i64..3_000_000, opens in prop::collection::vec((0_u128..4, 1_i64..100_000), 1..40)
        ) {
            let mut lines: Vec<OpenLine> =
                (0_u128..).zip(&opens).map(|(id, (of, open))| line(*of, id, *open)).collect();
            lines.sort_by_key(|line| line.settlement_id);
            let parts = share(Fen::new(amount), &HashMap::new(), &lines).unwrap();
            let open: i64 = opens.iter().map(|line| line.1).sum();
            prop_assert_eq!(amounts(&parts).iter().sum::<i64>(), amount.min(open));
            for part in &parts {
                let line = lines.iter().find(|line| line.settlement_line_id == part.settlement_line_id).unwrap();
                prop_assert!(part.amount > Fen::ZERO && part.amount <= line.open);
            }
        }
    }
}
