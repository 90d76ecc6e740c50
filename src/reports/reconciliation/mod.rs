//! The report on whether every account matches every other (账账相符、账实相符): sums compared at the end of a day, and
//! the differences that the last audit put on the problem list.

use chrono::{DateTime, NaiveDate, Utc};

use crate::app::App;
use crate::audit::bank::{self, CountyReconciliation};
use crate::audit::comparisons::{self, AsOf, Comparison};
use crate::clock;
use crate::members::access::{Caller, CountyScope};
use crate::money::Fen;
use crate::refusal::{Outcome, Refusal};

pub mod api;
mod store;

pub use store::Difference;

/// Differences listed by one report at most; the newest.
const DIFFERENCES_MAX: usize = 1_000;

/// The report.
#[derive(Clone, Debug)]
pub struct Report {
    pub region: String,
    pub as_of: NaiveDate,
    pub read_at: DateTime<Utc>,
    pub comparisons: Vec<Comparison>,
    /// The books against the bank, per county with statements by that day.
    pub banks: Vec<CountyReconciliation>,
    /// Open problems about the books, whatever the day.
    pub differences: Vec<Difference>,
    /// Whether there are more than are listed.
    pub has_more: bool,
    /// When the whole database was last audited for the problem list.
    pub audited_at: Option<DateTime<Utc>>,
}

impl Report {
    /// Whether nothing differs.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.comparisons.iter().all(|one| one.difference() == Fen::ZERO)
            && self.banks.iter().all(|county| county.told.difference == Fen::ZERO)
            && self.differences.is_empty()
    }
}

/// The books of the caller's counties at the end of a day, today unless one is named. Whoever is responsible for less
/// than a county has no books.
pub async fn report(
    app: &App,
    caller: &Caller,
    as_of: Option<NaiveDate>,
    region: Option<&str>,
) -> Outcome<Report> {
    let region = super::region_of(app, caller, region).await?;
    let counties = region.counties();
    if counties.is_empty() {
        return Err(Refusal::NotFound("county").into());
    }
    let as_of = day_of(app, as_of)?;
    let reader = app.db.reader();
    let comparisons = comparisons::compare(reader, &counties, as_of).await?;
    let banks = bank::reconcile(reader, &counties, as_of.day).await?;
    let (differences, has_more) = differences(app, &counties).await?;
    Ok(Report {
        region: region.code,
        as_of: as_of.day,
        read_at: app.clock.now(),
        comparisons,
        banks,
        differences,
        has_more,
        audited_at: store::audited_at(reader).await?,
    })
}

/// A day that has begun.
fn day_of(app: &App, as_of: Option<NaiveDate>) -> Outcome<AsOf> {
    let today = app.clock.today();
    let day = as_of.unwrap_or(today);
    let refused = |detail: &str| Refusal::Malformed { detail: format!("as_of: {detail}") };
    if day > today {
        return Err(refused("this day is to come").into());
    }
    let before = day.succ_opt().and_then(clock::day_start).ok_or_else(|| refused("beyond the calendar"))?;
    Ok(AsOf { day, before, is_today: day == today })
}

async fn differences(app: &App, counties: &CountyScope) -> Outcome<(Vec<Difference>, bool)> {
    let mut found = store::differences(app.db.reader(), counties, DIFFERENCES_MAX).await?;
    let has_more = found.len() > DIFFERENCES_MAX;
    found.truncate(DIFFERENCES_MAX);
    Ok((found, has_more))
}
