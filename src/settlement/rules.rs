//! What is owed line by line, how far it is paid, and how a payment is shared over lines. Pure.

use uuid::Uuid;

use crate::money::{self, Fen};

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

/// Adds amounts; none when the sum is beyond what a figure can hold.
pub fn total(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

/// Shares `amount` over open lines, settlement by settlement in the given order, within one by largest remainder over
/// what is open, ties to the earlier line. No line gets more than is open; what is left when all lines are paid is
/// not in any part. None when the sums are beyond what a figure can hold.
pub fn share(amount: Fen, lines: &[OpenLine]) -> Option<Vec<ReceivedPart>> {
    let mut left = amount;
    let mut parts = Vec::new();
    for settlement in lines.chunk_by(|one, next| one.settlement_id == next.settlement_id) {
        let open: Vec<Fen> = settlement.iter().map(|line| line.open).collect();
        // A share of at most the whole is at most its weight, also when rounded up: the weights are whole fen.
        let paid = left.min(total(open.iter().copied())?);
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
        left = left.checked_sub(paid)?;
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
        assert_eq!(amounts(&share(Fen::new(10_000), &lines).unwrap()), [3334, 3333, 3333]);
    }

    #[test]
    fn the_first_settlement_is_paid_before_the_next() {
        let lines = [line(1, 1, 100), line(1, 2, 50), line(2, 3, 100), line(2, 4, 300)];
        assert_eq!(amounts(&share(Fen::new(149), &lines).unwrap()), [99, 50]);
        assert_eq!(amounts(&share(Fen::new(152), &lines).unwrap()), [100, 50, 1, 1]);
        assert_eq!(amounts(&share(Fen::new(1_000), &lines).unwrap()), [100, 50, 100, 300]);
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
            let parts = share(Fen::new(amount), &lines).unwrap();
            let open: i64 = opens.iter().map(|line| line.1).sum();
            prop_assert_eq!(amounts(&parts).iter().sum::<i64>(), amount.min(open));
            for part in &parts {
                let line = lines.iter().find(|line| line.settlement_line_id == part.settlement_line_id).unwrap();
                prop_assert!(part.amount > Fen::ZERO && part.amount <= line.open);
            }
        }
    }
}
