//! What is left to sell today: lots on sale less what is held, confirmed and delivered, by product and place.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::rules::{self, GROUPS_MAX, Grouping};
use crate::app::App;
use crate::members::access::Caller;
use crate::refusal::Outcome;

pub mod api;
mod store;

pub use store::Group;

/// Figures that groups share; households of two groups are counted once in the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub mass_g: i64,
    pub pieces: i64,
    pub value_fen: i64,
    pub lots: i64,
    pub households: i64,
    /// The earliest.
    pub sell_by: Option<NaiveDate>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub region: String,
    pub grouping: Grouping,
    pub as_of: DateTime<Utc>,
    /// Days to a sell-by date are counted from this business day.
    pub today: NaiveDate,
    pub groups: Vec<Group>,
    pub total: Figures,
}

/// What is left in the caller's region, by product and village or township, the most urgent first.
pub async fn report(app: &App, caller: &Caller, grouping: Grouping, region: Option<&str>) -> Outcome<Report> {
    let region = super::region_of(app, caller, region).await?;
    let today = app.clock.today();
    let key = format!("unsold:{}:{today}:{}", region.code, grouping.as_str());
    super::kept(app, &key, || async {
        let as_of = app.clock.now();
        let groups = store::groups(app.db.reader(), &region, grouping).await?;
        rules::bounded(&groups, GROUPS_MAX)?;
        let total = total(&groups);
        Ok(Report { region: region.code.clone(), grouping, as_of, today, groups, total })
    })
    .await
}

impl From<&Group> for Figures {
    fn from(group: &Group) -> Self {
        let is_mass = group.measure == "mass";
        Self {
            mass_g: if is_mass { group.left_base } else { 0 },
            pieces: if is_mass { 0 } else { group.left_base },
            value_fen: group.value_fen,
            lots: group.lots,
            households: group.households,
            sell_by: Some(group.sell_by),
        }
    }
}

fn total(groups: &[Group]) -> Figures {
    let sum = |figure: fn(Figures) -> i64| {
        groups.iter().map(|group| figure(Figures::from(group))).fold(0, i64::saturating_add)
    };
    Figures {
        mass_g: sum(|figures| figures.mass_g),
        pieces: sum(|figures| figures.pieces),
        value_fen: sum(|figures| figures.value_fen),
        lots: sum(|figures| figures.lots),
        households: groups.first().map_or(0, |group| group.all_households),
        sell_by: groups.iter().map(|group| group.sell_by).min(),
    }
}
