//! Of the households that have something to sell, how many have sold, and how far the survey has come. Where a
//! household lives and what its status is counts as of the last day of the period.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::{self, GROUPS_MAX, Grouping, Period};
use crate::app::App;
use crate::members::access::Caller;
use crate::refusal::Outcome;

pub mod api;
mod store;

pub use store::Group;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub region: String,
    pub period: Period,
    pub grouping: Grouping,
    pub as_of: DateTime<Utc>,
    pub groups: Vec<Group>,
    /// The sum of the groups; villages counted once each.
    pub total: Group,
}

/// The coverage report of the caller's region, grouped by village, township or status.
pub async fn report(
    app: &App,
    caller: &Caller,
    period: Period,
    grouping: Grouping,
    region: Option<&str>,
) -> Outcome<Report> {
    let region = super::region_of(app, caller, region).await?;
    let period = period.checked()?;
    let key = format!("coverage:{}:{}:{}:{}", region.code, period.from, period.to, grouping.as_str());
    super::kept(app, &key, || async {
        let as_of = app.clock.now();
        let groups = store::groups(app.db.reader(), &region, period, grouping).await?;
        rules::bounded(&groups, GROUPS_MAX)?;
        let total = total(&groups);
        Ok(Report { region: region.code.clone(), period, grouping, as_of, groups, total })
    })
    .await
}

/// A household is in one group, so that households add up; a village may be in several when grouped by status.
fn total(groups: &[Group]) -> Group {
    let sum = |figure: fn(&Group) -> i64| groups.iter().map(figure).fold(0, i64::saturating_add);
    let counted = groups.first();
    let all_villages = counted.map_or(0, |group| group.all_villages);
    let all_villages_reached = counted.map_or(0, |group| group.all_villages_reached);
    Group {
        code: String::new(),
        name: None,
        households: sum(|group| group.households),
        sellers: sum(|group| group.sellers),
        sold: sum(|group| group.sold),
        villages: all_villages,
        villages_reached: all_villages_reached,
        has_unsold: sum(|group| group.has_unsold),
        nothing_unsold: sum(|group| group.nothing_unsold),
        not_reached: sum(|group| group.not_reached),
        not_asked: sum(|group| group.not_asked),
        all_villages,
        all_villages_reached,
    }
}
