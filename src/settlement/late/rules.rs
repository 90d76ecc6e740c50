//! Interest on what is paid late, day by day, and how late it is. Pure: whole fen times whole parts per million, rounded
//! once at the very end. It is shown and never posted: what is owed stays what was accepted and the fee.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::money::rate::round_ppm;
use crate::money::{Fen, Rate};
use crate::settlement::terms::NORMS;

/// Money that came for a settlement, or for some lines of it, on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub on: NaiveDate,
    pub amount: Fen,
}

/// A rate for every day, from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyRate {
    pub from_on: NaiveDate,
    pub rate: Rate,
}

/// Interest that is not rounded yet: fen times parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accrued(i128);

impl Accrued {
    /// Rounded once, half up (四舍五入), to the fen.
    #[must_use]
    pub fn rounded(self) -> Fen {
        round_ppm(self.0)
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// The interest of the norm on `owed` since the day it was due, up to and including a day.
#[must_use]
pub fn since_due(owed: Fen, receipts: &[Receipt], due_on: NaiveDate, to: NaiveDate) -> Accrued {
    let rates = NORMS.map(|norm| DailyRate { from_on: norm.from_on, rate: norm.daily_interest });
    accrue(owed, receipts, &rates, (due_on, to))
}

/// What accrues on `owed` on the days after `after` up to and including `to`. Each day bears its own rate of what was
/// open when it began: money bears interest still for the day on which it comes, and none from the next day on. A day
/// before all rates bears the first.
#[must_use]
pub fn accrue(
    owed: Fen,
    receipts: &[Receipt],
    rates: &[DailyRate],
    (after, to): (NaiveDate, NaiveDate),
) -> Accrued {
    let (Some(first), Some(end)) = (after.succ_opt(), to.succ_opt()) else { return Accrued::default() };
    let inside = |day: &NaiveDate| first < *day && *day < end;
    let changes = receipts.iter().filter_map(|receipt| receipt.on.succ_opt());
    let changes = changes.chain(rates.iter().map(|rate| rate.from_on)).filter(inside);
    // The first days of stretches in which neither what is open nor the rate changes.
    let mut days: BTreeSet<NaiveDate> = changes.collect();
    if first < end {
        days.extend([first, end]);
    }
    let days: Vec<NaiveDate> = days.into_iter().collect();
    let stretches = days.windows(2).filter_map(|pair| match pair {
        [from, before] => Some((*from, before.signed_duration_since(*from).num_days())),
        _ => None,
    });
    let accrued = stretches.map(|(from, length)| {
        let open = open_before(owed, receipts, from);
        let rate = rate_on(rates, from);
        i128::from(open.get()).saturating_mul(i128::from(rate.ppm())).saturating_mul(i128::from(length))
    });
    Accrued(accrued.fold(0, i128::saturating_add))
}

/// Days after the due day on which something was still open at the end of the day asked about; none when nothing is.
#[must_use]
pub fn days_overdue(open: Fen, due_on: NaiveDate, on: NaiveDate) -> i64 {
    if open > Fen::ZERO { on.signed_duration_since(due_on).num_days().max(0) } else { 0 }
}

/// What is open of `owed` when a day begins.
fn open_before(owed: Fen, receipts: &[Receipt], day: NaiveDate) -> Fen {
    let earlier = receipts.iter().filter(|receipt| receipt.on < day).map(|receipt| receipt.amount);
    owed.checked_sub(earlier.sum()).map_or(Fen::ZERO, |open| open.max(Fen::ZERO))
}

fn rate_on(rates: &[DailyRate], day: NaiveDate) -> Rate {
    let begun = rates.iter().filter(|rate| rate.from_on <= day).max_by_key(|rate| rate.from_on);
    begun.or_else(|| rates.iter().min_by_key(|rate| rate.from_on)).map_or(Rate::ZERO, |rate| rate.rate)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test arithmetic may overflow loudly")]
mod tests {
    use super::*;
    use chrono::Days;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn receipt(on: &str, fen: i64) -> Receipt {
        Receipt { on: day(on), amount: Fen::new(fen) }
    }

    #[test]
    fn ten_thousand_yuan_thirty_days_late_at_five_in_ten_thousand_bear_a_hundred_and_fifty() {
        let interest = |to: &str| since_due(Fen::new(1_000_000), &[], day("2027-03-31"), day(to)).rounded();
        assert_eq!(interest("2027-04-30"), Fen::new(15_000));
        assert_eq!(interest("2027-03-31"), Fen::ZERO, "not late on the due day");
        assert_eq!(interest("2027-03-01"), Fen::ZERO, "nor before it");
        assert_eq!(interest("2027-04-01"), Fen::new(500));
    }

    #[test]
    fn interest_follows_what_is_paid_in_parts() {
        let receipts = [receipt("2027-03-20", 200_000), receipt("2027-04-10", 300_000)];
        let interest = |to: &str| since_due(Fen::new(1_000_000), &receipts, day("2027-03-31"), day(to));
        // 8,000.00 for ten days, the day of the second payment among them, then 5,000.00.
        assert_eq!(interest("2027-04-10").rounded(), Fen::new(4_000));
        assert_eq!(interest("2027-04-20").rounded(), Fen::new(4_000 + 2_500));
    }

    #[test]
    fn interest_stops_when_all_is_paid_and_is_never_negative() {
        let receipts = [receipt("2027-04-10", 900_000), receipt("2027-04-10", 900_000)];
        let interest =
            |to: &str| since_due(Fen::new(1_000_000), &receipts, day("2027-03-31"), day(to)).rounded();
        assert_eq!(interest("2027-04-10"), Fen::new(5_000));
        assert_eq!(interest("2028-04-10"), Fen::new(5_000));
    }

    #[test]
    fn it_is_rounded_once_and_not_day_by_day() {
        // 0.33 a day is 0.000165 of interest, which would be nothing every day.
        let interest = since_due(Fen::new(33), &[], day("2027-03-31"), day("2028-03-30")).rounded();
        assert_eq!(interest, Fen::new(6), "6.0225 fen in 365 days");
    }

    #[test]
    fn a_day_bears_the_rate_of_that_day() {
        let rates = [
            DailyRate { from_on: day("2027-01-01"), rate: Rate::of_ppm(500) },
            DailyRate { from_on: day("2027-04-03"), rate: Rate::of_ppm(1_000) },
        ];
        let interest = accrue(Fen::new(1_000_000), &[], &rates, (day("2027-03-31"), day("2027-04-04")));
        assert_eq!(interest.rounded(), Fen::new(2 * 500 + 2 * 1_000));
        let before_all = accrue(Fen::new(1_000_000), &[], &rates, (day("2026-12-30"), day("2026-12-31")));
        assert_eq!(before_all.rounded(), Fen::new(500));
    }

    #[test]
    fn a_settlement_is_overdue_from_the_day_after_the_due_day_while_something_is_open() {
        let overdue = |open: i64, on: &str| days_overdue(Fen::new(open), day("2027-03-31"), day(on));
        assert_eq!((overdue(1, "2027-03-31"), overdue(1, "2027-04-01"), overdue(1, "2027-03-01")), (0, 1, 0));
        assert_eq!(overdue(0, "2027-04-01"), 0);
    }

    /// Day by day, as a clerk would do it.
    fn by_hand(owed: i64, receipts: &[Receipt], rates: &[DailyRate], after: NaiveDate, days: u64) -> i128 {
        let day_of = |place: u64| after.checked_add_days(Days::new(place)).unwrap();
        (1..=days)
            .map(|place| {
                let day = day_of(place);
                let paid: i64 =
                    receipts.iter().filter(|part| part.on < day).map(|part| part.amount.get()).sum();
                i128::from((owed - paid).max(0)) * i128::from(rate_on(rates, day).ppm())
            })
            .sum()
    }

    proptest! {
        #[test]
        fn interest_is_the_sum_of_its_days_however_the_period_is_split(
            owed in 0_i64..10_000_000_000, days in 0_u64..400, cut in 0_u64..400,
            paid in prop::collection::vec((0_u64..400, 0_i64..2_000_000_000), 0..8), second in 0_u64..400
        ) {
            let after = day("2027-03-31");
            let on = |place: u64| after.checked_add_days(Days::new(place)).unwrap();
            let receipts: Vec<Receipt> =
                paid.iter().map(|(at, amount)| Receipt { on: on(*at), amount: Fen::new(*amount) }).collect();
            let rates = [
                DailyRate { from_on: after, rate: Rate::of_ppm(500) },
                DailyRate { from_on: on(second), rate: Rate::of_ppm(321) },
            ];
            let whole = accrue(Fen::new(owed), &receipts, &rates, (after, on(days)));
            prop_assert_eq!(whole, Accrued(by_hand(owed, &receipts, &rates, after, days)));
            let middle = on(cut.min(days));
            let first = accrue(Fen::new(owed), &receipts, &rates, (after, middle));
            let rest = accrue(Fen::new(owed), &receipts, &rates, (middle, on(days)));
            prop_assert_eq!(first.plus(rest), whole);
        }

        #[test]
        fn the_interest_of_lines_is_that_of_their_settlement_before_it_is_rounded(
            lines in prop::collection::vec((0_i64..1_000_000, 0_u64..100), 1..10), days in 0_u64..100
        ) {
            let due = day("2027-03-31");
            let on = |place: u64| due.checked_add_days(Days::new(place)).unwrap();
            let paid = |line: &(i64, u64)| Receipt { on: on(line.1), amount: Fen::new(line.0 / 2) };
            let receipts: Vec<Receipt> = lines.iter().map(paid).collect();
            let owed = lines.iter().map(|line| line.0).sum();
            let whole = since_due(Fen::new(owed), &receipts, due, on(days));
            let parts = lines.iter().map(|line| since_due(Fen::new(line.0), &[paid(line)], due, on(days)));
            prop_assert_eq!(parts.fold(Accrued::default(), Accrued::plus), whole);
        }
    }
}
