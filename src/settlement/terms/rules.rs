//! What the norm says of payment terms and late payment, dated, and what a term may be. Pure.
//!
//! Source: 保障中小企业款项支付条例 (State Council Decree 728 of 2020, in force from 2020-09-01; revised by Decree 802 of
//! 2025, in force from 2025-06-01). Agencies and public institutions pay within 30 days of delivery, and within 60 at most
//! where a contract says so; who pays late owes interest, 0.05 percent (万分之五) a day where nothing else was agreed. It is
//! made for small and medium enterprises. Farm households are not named in it: the county lets them stand no worse.

use chrono::{Days, NaiveDate};

use super::NewPaymentTerm;
use crate::money::Rate;
use crate::refusal::Refusal;

/// How many days ahead a rate or a term may be set.
const DAYS_AHEAD_MAX: u64 = 731;

const SOURCE_CHARS_MAX: usize = 200;

/// What the norm says from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Norm {
    pub from_on: NaiveDate,
    /// The longest term that may be agreed, in days after the acceptance.
    pub days_max: i64,
    /// Of what is open, for every day after the due day.
    pub daily_interest: Rate,
    pub source: &'static str,
}

/// In the order of their days. A day before the first is treated as the first.
pub const NORMS: [Norm; 2] = [
    Norm {
        from_on: day(2020, 9, 1),
        days_max: 60,
        daily_interest: Rate::of_ppm(500),
        source: "保障中小企业款项支付条例(国务院令第728号)",
    },
    Norm {
        from_on: day(2025, 6, 1),
        days_max: 60,
        daily_interest: Rate::of_ppm(500),
        source: "保障中小企业款项支付条例(国务院令第802号修订)",
    },
];

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(day) => day,
        None => NaiveDate::MIN,
    }
}

/// The norm in force on a day.
#[must_use]
pub fn norm_on(on: NaiveDate) -> Norm {
    let [first, ..] = NORMS;
    NORMS.into_iter().rev().find(|norm| norm.from_on <= on).unwrap_or(first)
}

/// The day until which is paid what was accepted on a day. None when it leaves the calendar.
#[must_use]
pub fn due_on(accepted_on: NaiveDate, days: i64) -> Option<NaiveDate> {
    u64::try_from(days).ok().and_then(|days| accepted_on.checked_add_days(Days::new(days)))
}

/// Refuses a term beyond what the norm allows on its first day, a day that has begun, and a source that says nothing.
pub fn check(new: &NewPaymentTerm, today: NaiveDate) -> Result<(), Refusal> {
    let norm = norm_on(new.from_on);
    if !(1..=norm.days_max).contains(&new.days) {
        return Err(Refusal::invalid("/days", format!("1 to {} days, see {}", norm.days_max, norm.source)));
    }
    check_dated(new.from_on, &new.source, today)
}

/// Refuses what would begin on a day that has begun, as that day's settlements would not agree with each other, or more
/// than two years ahead; and a source that says nothing.
pub fn check_dated(from_on: NaiveDate, source: &str, today: NaiveDate) -> Result<(), Refusal> {
    if from_on <= today {
        return Err(Refusal::invalid("/from_on", "tomorrow at the earliest; what is settled stays as it is"));
    }
    if today.checked_add_days(Days::new(DAYS_AHEAD_MAX)).is_some_and(|last| from_on > last) {
        return Err(Refusal::invalid("/from_on", "at most two years ahead"));
    }
    let is_said = !source.trim().is_empty()
        && source.chars().count() <= SOURCE_CHARS_MAX
        && !source.contains(char::is_control);
    if is_said {
        Ok(())
    } else {
        Err(Refusal::invalid("/source", "say where it was decided or agreed, in 1 to 200 characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn term(from_on: &str, days: i64, source: &str) -> NewPaymentTerm {
        NewPaymentTerm { from_on: on(from_on), days, source: source.to_owned() }
    }

    #[test]
    fn norms_stand_in_the_order_of_their_days_and_the_last_that_began_is_in_force() {
        assert!(NORMS.windows(2).all(|pair| pair[0].from_on < pair[1].from_on));
        assert_eq!(norm_on(on("2025-05-31")), NORMS[0]);
        assert_eq!(norm_on(on("2025-06-01")), NORMS[1]);
        assert_eq!(norm_on(on("2019-01-01")), NORMS[0]);
    }

    #[test]
    fn a_term_has_at_most_sixty_days_and_begins_tomorrow_at_the_earliest() {
        let today = on("2027-03-01");
        assert_eq!(check(&term("2027-03-02", 60, "合同第5条"), today), Ok(()));
        for (refused, pointer) in [
            (term("2027-03-02", 61, "合同"), "/days"),
            (term("2027-03-02", 0, "合同"), "/days"),
            (term("2027-03-01", 30, "合同"), "/from_on"),
            (term("2030-03-01", 30, "合同"), "/from_on"),
            (term("2027-03-02", 30, " "), "/source"),
        ] {
            let Err(Refusal::Invalid { pointer: at, .. }) = check(&refused, today) else {
                panic!("{refused:?}")
            };
            assert_eq!(at, pointer);
        }
    }
}
