//! The made-up year: it runs from 2 January to 15 November. Knows no wall clock; it is told what day it is.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The last month and day of the demo.
const END: (u32, u32) = (11, 15);

/// The year the demo plays in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    pub year: i32,
}

impl Calendar {
    /// The last year whose 15 November is over, so that the demo lies in the past and its dried goods and teas are still
    /// on sale.
    pub fn before(today: NaiveDate) -> Self {
        let this = Self { year: today.year() };
        if this.end() < today { this } else { Self { year: this.year - 1 } }
    }

    pub fn day(self, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, month, day).unwrap_or_default()
    }

    /// The first day: the county sets up its books.
    pub fn start(self) -> NaiveDate {
        self.day(1, 2)
    }

    /// The day on which the lots of a month are offered.
    pub fn offered(self, month: u32) -> NaiveDate {
        self.day(month, if month == 1 { 13 } else { 1 })
    }

    pub fn end(self) -> NaiveDate {
        self.day(END.0, END.1)
    }

    /// The first day of a month so many months before (`back` up to 11).
    pub fn month_back(self, month: u32, back: u32) -> NaiveDate {
        if month > back {
            self.day(month - back, 1)
        } else {
            Self { year: self.year - 1 }.day(month + 12 - back, 1)
        }
    }
}

/// A time of day in Shanghai.
pub fn at(day: NaiveDate, hour: i64, minute: i64) -> DateTime<Utc> {
    (day.and_time(NaiveTime::MIN) + TimeDelta::minutes((hour - 8) * 60 + minute)).and_utc()
}

pub fn days_after(day: NaiveDate, days: i64) -> NaiveDate {
    day + TimeDelta::days(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_is_the_last_one_whose_fifteenth_of_november_is_over() {
        let year_before = |text: &str| Calendar::before(text.parse().unwrap()).year;
        assert_eq!(year_before("2026-11-15"), 2025);
        assert_eq!(year_before("2026-11-16"), 2026);
        assert_eq!(year_before("2027-11-15"), 2026);
    }

    #[test]
    fn months_back_cross_the_year() {
        let calendar = Calendar { year: 2026 };
        assert_eq!(calendar.month_back(3, 2).to_string(), "2026-01-01");
        assert_eq!(calendar.month_back(3, 3).to_string(), "2025-12-01");
        assert_eq!(calendar.month_back(1, 11).to_string(), "2025-02-01");
    }

    #[test]
    fn a_time_of_day_is_that_of_shanghai() {
        assert_eq!(at(Calendar { year: 2026 }.day(3, 1), 7, 30).to_string(), "2026-02-28 23:30:00 UTC");
    }
}
