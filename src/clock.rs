//! The only place that reads the wall clock. Everything else is handed the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeDelta, Utc};

/// Shanghai has had no daylight saving since 1991, so a business day is a day at +08:00.
const SHANGHAI_OFFSET_SECONDS: i32 = 8 * 3600;

/// Where the time comes from: the machine, or a value that tests and the demo move by hand.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at `start` until it is moved.
    #[must_use]
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.timestamp_micros())))
    }

    /// UTC in whole microseconds, so that a value in memory equals the one read back from a database.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place")]
            Self::System => Utc::now().timestamp_micros(),
            Self::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Moves a manual clock; the machine's clock cannot be moved and stays.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Manual(micros) = self {
            micros.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }

    /// Sets a manual clock to a moment.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Self::Manual(micros) = self {
            micros.store(to.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// Today in Asia/Shanghai.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        business_day(self.now())
    }
}

/// The day in Asia/Shanghai on which `at` falls.
#[must_use]
pub fn business_day(at: DateTime<Utc>) -> NaiveDate {
    FixedOffset::east_opt(SHANGHAI_OFFSET_SECONDS)
        .map_or_else(|| at.date_naive(), |shanghai| at.with_timezone(&shanghai).date_naive())
}

/// When a day begins in Asia/Shanghai; `None` beyond the calendar.
#[must_use]
pub fn day_start(day: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    midnight.checked_sub_signed(TimeDelta::seconds(i64::from(SHANGHAI_OFFSET_SECONDS)))
}

/// The first day of the year of `day`.
#[must_use]
pub fn year_start(day: NaiveDate) -> NaiveDate {
    day.with_ordinal(1).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_day_begins_at_sixteen_hours_utc_of_the_day_before() {
        let before: DateTime<Utc> = "2027-03-19T15:59:59.999999Z".parse().unwrap();
        let after: DateTime<Utc> = "2027-03-19T16:00:00Z".parse().unwrap();
        assert_eq!(business_day(before).to_string(), "2027-03-19");
        assert_eq!(business_day(after).to_string(), "2027-03-20");
    }
}
