//! How far a county has come, for everybody. Only whole counties since the beginning, and no figure over fewer than
//! three households, nor by the difference of two readings, so that nobody's income can be told from what is published.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::members::access::RegionScope;
use crate::members::households::published_until;
use crate::refusal::{Outcome, Refusal};

pub mod api;
mod store;

pub use store::Figures;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    pub region: String,
    pub name: String,
    pub as_of: DateTime<Utc>,
    /// The day up to which sales count, and what they come to; absent as long as that would be over fewer than three
    /// households.
    pub figures: Option<(NaiveDate, Figures)>,
}

/// The progress of one county; anything else is no region here.
pub async fn show(app: &App, county: &str) -> Outcome<Progress> {
    let region = RegionScope::of(county);
    let today = app.clock.today();
    super::kept(app, &format!("progress:{}:{today}", region.code), || async {
        let reader = app.db.reader();
        let as_of = app.clock.now();
        let name = store::county_name(reader, &region.code).await?;
        let name = name.ok_or(Refusal::NotFound("county"))?;
        let days = store::days(reader, &region).await?;
        let figures = match published_until(&days, today) {
            Some(until) => store::figures(reader, &region, until).await?.map(|figures| (until, figures)),
            None => None,
        };
        Ok(Progress { region: region.code.clone(), name, as_of, figures })
    })
    .await
}
