//! What is owed line by line, how far it is paid, and how a payment is shared over lines and fees. Pure.

use std::collections::{BTreeSet, HashMap};

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
    /// Of what is owed, fee included, and what was received. Owing nothing is paid.
    #[must_use]
    pub fn of(owed: Fen, received: Fen) -> Self {
        if received >= owed {
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
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    /// Above zero.
    pub open: Fen,
}

/// A settlement that is not paid in full: the lines that are open, and what of its fee is.
#[derive(Clone, Debug)]
pub struct OpenSettlement {
    pub id: Uuid,
    pub lines: Vec<OpenLine>,
    pub fee_open: Fen,
}

/// What a payment pays of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedPart {
    pub settlement_id: Uuid,
    pub settlement_line_id: Uuid,
    pub household_id: Uuid,
    pub amount: Fen,
}

/// What a payment pays of the fee of one settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePart {
    pub settlement_id: Uuid,
    pub amount: Fen,
}

/// What a payment pays. Each settlement and each line stands in it once at most, and nothing in it is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub parts: Vec<ReceivedPart>,
    pub fees: Vec<FeePart>,
}

impl Received {
    /// All of it. None when the sum is beyond what a figure can hold.
    #[must_use]
    pub fn total(&self) -> Option<Fen> {
        let parts = self.parts.iter().map(|part| part.amount);
        total(parts.chain(self.fees.iter().map(|fee| fee.amount)))
    }

    /// Each settlement once, in the order of ids.
    #[must_use]
    pub fn settlement_ids(&self) -> Vec<Uuid> {
        let parts = self.parts.iter().map(|part| part.settlement_id);
        let ids: BTreeSet<Uuid> = parts.chain(self.fees.iter().map(|fee| fee.settlement_id)).collect();
        ids.into_iter().collect()
    }
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

/// Shares `amount` over open settlements in the given order: within one over its lines by largest remainder over what is
/// open, ties to the earlier line, and to its fee only when all its lines are paid. A settlement in `named` gets exactly
/// its amount; the others share what is left. Nothing gets more than is open; what is left when all is paid is not in it.
/// None when the sums are beyond what a figure can hold, or when more is named than there is.
pub fn share(amount: Fen, named: &HashMap<Uuid, Fen>, settlements: &[OpenSettlement]) -> Option<Received> {
    let mut left = amount.checked_sub(total(named.values().copied())?).filter(|left| *left >= Fen::ZERO)?;
    let mut received = Received::default();
    for settlement in settlements {
        let open: Vec<Fen> = settlement.lines.iter().map(|line| line.open).collect();
        let exact = named.get(&settlement.id).copied();
        let reach = exact.unwrap_or(left);
        // A share of at most the whole is at most its weight, also when rounded up: the weights are whole fen.
        let paid = reach.min(total(open.iter().copied())?);
        for (line, part) in settlement.lines.iter().zip(money::split(paid, &open)) {
            if part > Fen::ZERO {
                received.parts.push(ReceivedPart {
                    settlement_id: settlement.id,
                    settlement_line_id: line.settlement_line_id,
                    household_id: line.household_id,
                    amount: part,
                });
            }
        }
        let fee = reach.checked_sub(paid)?.min(settlement.fee_open);
        if fee > Fen::ZERO {
            received.fees.push(FeePart { settlement_id: settlement.id, amount: fee });
        }
        if exact.is_none() {
            left = left.checked_sub(paid)?.checked_sub(fee)?;
        }
    }
    Some(received)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test arithmetic may overflow loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settlement(id: u128, fee: i64, opens: &[i64]) -> OpenSettlement {
        let line = |(position, open): (u128, &i64)| OpenLine {
            settlement_line_id: Uuid::from_u128(id * 1_000 + position),
            household_id: Uuid::from_u128(position),
            open: Fen::new(*open),
        };
        OpenSettlement {
            id: Uuid::from_u128(id),
            lines: (0_u128..).zip(opens).map(line).collect(),
            fee_open: Fen::new(fee),
        }
    }

    /// The amounts of the parts, and those of the fees.
    fn shared(amount: i64, settlements: &[OpenSettlement]) -> (Vec<i64>, Vec<i64>) {
        let received = share(Fen::new(amount), &HashMap::new(), settlements).unwrap();
        let parts = received.parts.iter().map(|part| part.amount.get());
        (parts.collect(), received.fees.iter().map(|fee| fee.amount.get()).collect())
    }

    #[test]
    fn a_hundred_yuan_over_three_equal_lines_gives_the_odd_fen_to_the_first() {
        let open = [settlement(1, 0, &[5000, 5000, 5000])];
        assert_eq!(shared(10_000, &open), (vec![3334, 3333, 3333], vec![]));
    }

    #[test]
    fn the_first_settlement_is_paid_before_the_next() {
        let open = [settlement(1, 0, &[100, 50]), settlement(2, 0, &[100, 300])];
        assert_eq!(shared(149, &open).0, [99, 50]);
        assert_eq!(shared(152, &open).0, [100, 50, 1, 1]);
        assert_eq!(shared(1_000, &open).0, [100, 50, 100, 300]);
    }

    #[test]
    fn the_fee_of_a_settlement_is_paid_after_all_its_lines_and_before_the_next_settlement() {
        let open = [settlement(1, 10, &[100, 50]), settlement(2, 5, &[100])];
        assert_eq!(shared(150, &open), (vec![100, 50], vec![]));
        assert_eq!(shared(155, &open), (vec![100, 50], vec![5]));
        assert_eq!(shared(200, &open), (vec![100, 50, 40], vec![10]));
        assert_eq!(shared(999, &open), (vec![100, 50, 100], vec![10, 5]));
    }

    fn named(amounts: &[(u128, i64)]) -> HashMap<Uuid, Fen> {
        amounts.iter().map(|(id, fen)| (Uuid::from_u128(*id), Fen::new(*fen))).collect()
    }

    #[test]
    fn a_settlement_gets_the_amount_that_is_named_for_it_and_the_others_what_is_left() {
        let open = [settlement(1, 0, &[100]), settlement(2, 0, &[100, 200]), settlement(3, 0, &[100])];
        let received = share(Fen::new(180), &named(&[(2, 90)]), &open).unwrap();
        let parts: Vec<i64> = received.parts.iter().map(|part| part.amount.get()).collect();
        assert_eq!(parts, [90, 30, 60], "the third settlement comes too late");
        assert_eq!(share(Fen::new(89), &named(&[(2, 90)]), &open), None);
    }

    #[test]
    fn an_amount_that_is_named_reaches_the_fee_of_its_settlement_and_nothing_beyond() {
        let open = [settlement(1, 10, &[100]), settlement(2, 5, &[100])];
        let received = share(Fen::new(210), &named(&[(1, 107)]), &open).unwrap();
        let parts: Vec<i64> = received.parts.iter().map(|part| part.amount.get()).collect();
        let fees: Vec<i64> = received.fees.iter().map(|fee| fee.amount.get()).collect();
        assert_eq!((parts, fees), (vec![100, 100], vec![7, 3]));
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
        fn parts_and_fees_sum_to_the_payment_or_to_all_that_is_open_and_nothing_gets_more_than_is_open(
            amount in 1_i64..3_000_000,
            opens in prop::collection::vec(
                (0_i64..50_000, prop::collection::vec(1_i64..100_000, 0..12)), 1..6)
        ) {
            let open: Vec<OpenSettlement> =
                (1_u128..).zip(&opens).map(|(id, (fee, lines))| settlement(id, *fee, lines)).collect();
            let received = share(Fen::new(amount), &HashMap::new(), &open).unwrap();
            let all: i64 = opens.iter().map(|(fee, lines)| fee + lines.iter().sum::<i64>()).sum();
            prop_assert_eq!(received.total(), Some(Fen::new(amount.min(all))));
            for part in &received.parts {
                let of = open.iter().find(|of| of.id == part.settlement_id).unwrap();
                let line = of.lines.iter().find(|line| line.settlement_line_id == part.settlement_line_id);
                prop_assert!(part.amount > Fen::ZERO && part.amount <= line.unwrap().open);
            }
            for fee in &received.fees {
                let of = open.iter().find(|of| of.id == fee.settlement_id).unwrap();
                let paid = received.parts.iter().filter(|part| part.settlement_id == of.id);
                prop_assert!(fee.amount <= of.fee_open, "no fee beyond what is open");
                prop_assert_eq!(
                    paid.map(|part| part.amount).sum::<Fen>(), of.lines.iter().map(|line| line.open).sum::<Fen>(),
                    "no fee before all lines are paid"
                );
            }
        }
    }
}
