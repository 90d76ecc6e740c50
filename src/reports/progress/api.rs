//! The public progress page as JSON.

use chrono::{DateTime, Utc};
use poem_openapi::Object;

use super::Progress;
use crate::http::scalars::Yuan;
use crate::money::Fen;

/// How far a county has come. Figures over fewer than three households are absent.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct CountyProgress {
    /// Twelve digits.
    pub region: String,
    pub name: String,
    /// When the figures were read.
    pub as_of: DateTime<Utc>,
    /// Whether figures are left out to protect people.
    pub is_suppressed: bool,
    /// Different ones with an accepted sale.
    pub households: Option<u64>,
    /// What accepted sales come to.
    pub amount: Option<Yuan>,
    /// Orders with an accepted sale.
    pub orders: Option<u64>,
    /// Villages with an accepted sale.
    pub villages: Option<u64>,
}

impl From<Progress> for CountyProgress {
    fn from(progress: Progress) -> Self {
        let figures = progress.figures.as_ref();
        Self {
            region: progress.region,
            name: progress.name,
            as_of: progress.as_of,
            is_suppressed: figures.is_none(),
            households: figures.map(|figures| figures.households.unsigned_abs()),
            amount: figures.map(|figures| Yuan(Fen::new(figures.amount_fen))),
            orders: figures.map(|figures| figures.orders.unsigned_abs()),
            villages: figures.map(|figures| figures.villages.unsigned_abs()),
        }
    }
}
