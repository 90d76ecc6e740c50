//! How far a county has come, for everybody. Only whole counties since the beginning, and no figure over fewer than
//! three households, so that nobody's income can be told from what is published.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::rules::PUBLISHED_HOUSEHOLDS_MIN;
use crate::app::App;
use crate::members::access::RegionScope;
use crate::refusal::{Outcome, Refusal};

pub mod api;
mod store;

pub use store::Figures;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    pub region: String,
    pub name: String,
    pub as_of: DateTime<Utc>,
    /// Absent when they are over fewer than three households.
    pub figures: Option<Figures>,
}

/// The progress of one county; anything else is no region here.
pub async fn show(app: &App, county: &str) -> Outcome<Progress> {
    let region = RegionScope::of(county);
    super::kept(app, &format!("progress:{}", region.code), || async {
        let as_of = app.clock.now();
        let name = store::county_name(app.db.reader(), &region.code).await?;
        let name = name.ok_or(Refusal::NotFound("county"))?;
        let figures = store::figures(app.db.reader(), &region).await?;
        let figures = figures.filter(|figures| figures.households >= PUBLISHED_HOUSEHOLDS_MIN);
        Ok(Progress { region: region.code.clone(), name, as_of, figures })
    })
    .await
}
