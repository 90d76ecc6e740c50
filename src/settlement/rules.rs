//! What is owed line by line, how far it is paid, and how a payment is shared over lines and fees. Pure.

use std::collections::BTreeSet;

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

/// Adds amounts; none when the sum is beyond what a figure can hold.
pub fn total(amounts: impl IntoIterator<Item = Fen>) -> Option<Fen> {
    amounts.into_iter().try_fold(Fen::ZERO, Fen::checked_add)
}

/// Shares `amount` over open settlements in the given order: within one over its lines by largest remainder over what is
/// open, ties to the earlier line, and to its fee only when all its lines are paid. Nothing gets more than is open; what
/// is left when all is paid is not in it. None when the sums are beyond what a figure can hold.
pub fn share(amount: Fen, settlements: &[OpenSettlement]) -> Option<Received> {
    let mut left = amount;
    let mut received = Received::default();
    for settlement in settlements {
        let open: Vec<Fen> = settlement.lines.iter().map(|line| line.open).collect();
        // A share of at most the whole is at most its weight, also when rounded up: the weights are whole fen.
        let paid = left.min(total(open.iter().copied())?);
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
        left = left.checked_sub(paid)?;
        let fee = left.min(settlement.fee_open);
        if fee > Fen::ZERO {
            received.fees.push(FeePart { settlement_id: settlement.id, amount: fee });
            left = left.checked_sub(fee)?;
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
        let received = share(Fen::new(amount), settlements).unwrap();
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
            let received = share(Fen::new(amount), &open).unwrap();
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
