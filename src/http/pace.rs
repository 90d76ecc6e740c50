//! How fast one person may send requests: a rate that lasts, and twice as many at once. Kept in this process, so that it
//! holds whatever becomes of Redis; with several processes each allows the rate. One person's haste is nobody else's wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use uuid::Uuid;

/// People remembered at most; the least active are forgotten first, and whoever was forgotten begins afresh.
const PEOPLE_MAX: u64 = 100_000;

/// A burst is what the rate allows in so many microseconds.
const BURST_MICROS: i64 = 2_000_000;

/// Who has sent how much of late: for each person the moment by which all that was sent is paid off at the lasting rate.
#[derive(Clone, Debug)]
pub struct Pace {
    people: Cache<Uuid, Arc<AtomicI64>>,
    /// What one request costs.
    step_micros: i64,
}

impl Pace {
    #[must_use]
    pub fn new(per_second_max: u32) -> Self {
        let forgotten_after = Duration::from_mins(1);
        Self {
            people: Cache::builder().max_capacity(PEOPLE_MAX).time_to_idle(forgotten_after).build(),
            step_micros: 1_000_000 / i64::from(per_second_max.max(1)),
        }
    }

    /// Counts a request of `person`; too many are refused with the seconds to wait.
    pub fn count(&self, person: Uuid, now: DateTime<Utc>) -> Result<(), u64> {
        let paid_off = self.people.get_with(person, Arc::default);
        let now = now.timestamp_micros();
        let counted = paid_off.fetch_update(Ordering::AcqRel, Ordering::Acquire, |paid_off| {
            // Only a clock that was set back leaves a moment so late; it must lock nobody out.
            let is_leftover = paid_off.saturating_sub(now) > BURST_MICROS;
            let owed = if is_leftover { now } else { paid_off.max(now) };
            let later = owed.saturating_add(self.step_micros);
            (later.saturating_sub(now) <= BURST_MICROS).then_some(later)
        });
        counted.map(|_| ()).map_err(|_| u64::try_from(self.step_micros / 1_000_000).unwrap_or(0).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_twice_the_rate_and_the_rate_lasts() {
        let pace = Pace::new(5);
        let (person, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let start = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let allowed = |at: DateTime<Utc>| (0..100).take_while(|_| pace.count(person, at).is_ok()).count();
        assert_eq!(allowed(start), 10);
        assert_eq!(pace.count(person, start), Err(1));
        assert_eq!(pace.count(other, start), Ok(()));
        assert_eq!(allowed(start + chrono::TimeDelta::seconds(1)), 5);
        assert_eq!(allowed(start + chrono::TimeDelta::hours(1)), 10);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let pace = Pace::new(5);
        let person = Uuid::from_u128(1);
        let start = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        assert_eq!(pace.count(person, start + chrono::TimeDelta::days(1)), Ok(()));
        assert_eq!(pace.count(person, start), Ok(()));
    }
}
