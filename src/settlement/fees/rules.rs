//! What a fee rate may be. Pure.

use chrono::NaiveDate;

use super::NewFeeRate;
use crate::money::Rate;
use crate::refusal::Refusal;
use crate::settlement::terms::check_dated;

/// The highest rate that may be set: one tenth.
const RATE_MAX: Rate = Rate::of_ppm(100_000);

/// Refuses a rate above ten percent, a day that has begun (what is settled that day would bear another rate in the
/// morning than in the evening) and a source that says nothing.
pub fn check(new: &NewFeeRate, today: NaiveDate) -> Result<(), Refusal> {
    if new.rate > RATE_MAX {
        return Err(Refusal::invalid("/percent", format!("at most {RATE_MAX} percent")));
    }
    check_dated(new.from_on, &new.source, today)
}
