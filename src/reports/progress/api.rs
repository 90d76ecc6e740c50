//! The public progress page as JSON.

use chrono::{DateTime, NaiveDate, Utc};
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
    /// The figures are those until this day: the last one, before today, on which three households or more sold, so that
    /// two readings never differ by the sales of one.
    pub until: Option<NaiveDate>,
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
        let until = progress.figures.as_ref().map(|(until, _)| *until);
        let figures = progress.figures.as_ref().map(|(_, figures)| figures);
        Self {
            region: progress.region,
            name: progress.name,
            as_of: progress.as_of,
            is_suppressed: figures.is_none(),
            until,
            households: figures.map(|figures| figures.households.unsigned_abs()),
            amount: figures.map(|figures| Yuan(Fen::new(figures.amount_fen))),
            orders: figures.map(|figures| figures.orders.unsigned_abs()),
            villages: figures.map(|figures| figures.villages.unsigned_abs()),
        }
    }
}
