//! On which day an institution is reminded of what: 7 and 3 days before the due day, on it, and every week after. Pure.

use chrono::NaiveDate;

/// Days before the due day from which on it is reminded of.
pub const DAYS_AHEAD_MAX: u64 = 7;

/// The latest step of reminding that a day has reached, in days after the due day: -7, -3, 0, 7, 14 … None before the
/// first. Earlier steps that were missed are not made up for.
#[must_use]
pub fn step_on(due_on: NaiveDate, today: NaiveDate) -> Option<i64> {
    match today.signed_duration_since(due_on).num_days() {
        ..-7 => None,
        -7..-3 => Some(-7),
        -3..0 => Some(-3),
        days => Some(days.saturating_sub(days.checked_rem(7).unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_settlement_is_reminded_of_seven_and_three_days_before_on_the_day_and_weekly_after() {
        let due: NaiveDate = "2027-03-31".parse().unwrap();
        let step = |days: i64| step_on(due, due + TimeDelta::days(days));
        assert_eq!(
            [step(-8), step(-7), step(-4), step(-3), step(-1)],
            [None, Some(-7), Some(-7), Some(-3), Some(-3)]
        );
        assert_eq!([step(0), step(6), step(7), step(13), step(14)].map(Option::unwrap), [0, 0, 7, 7, 14]);
        assert_eq!(step(3_650), Some(3_647));
    }

    #[test]
    fn over_a_year_each_step_is_reached_once_in_order() {
        let due: NaiveDate = "2027-03-31".parse().unwrap();
        let mut steps: Vec<i64> =
            (-30..=365).filter_map(|days| step_on(due, due + TimeDelta::days(days))).collect();
        assert!(steps.is_sorted());
        steps.dedup();
        assert_eq!(steps.len(), 2 + 1 + 52);
    }
}
