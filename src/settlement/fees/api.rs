//! Endpoints: What institutions pay on top of the goods.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::Query;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::{FeeRateView, NewFeeRate as Wanted};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::http::scalars::DecimalText;
use crate::members::access::Signed;
use crate::money::Rate;
use crate::refusal::Refusal;
use crate::routes::Tag;

/// What institutions pay on top of the goods.
#[derive(Debug)]
pub struct Api(pub App);

/// A fee rate to be set.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewFeeRate {
    /// The first day it is in force, tomorrow at the earliest.
    pub from_on: NaiveDate,
    /// Percent of what households are owed, at most 10, with at most four decimals. `"0"` ends a fee.
    pub percent: DecimalText,
    /// Who decided it, and where that can be read.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub source: String,
}

/// A fee rate of a county, in force from a day on until another one is. Institutions bear it; no household does.
#[derive(Debug, Object)]
pub struct FeeRate {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    pub from_on: NaiveDate,
    /// Percent of what households are owed.
    pub percent: DecimalText,
    pub source: String,
    pub set_by: Uuid,
    pub created_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Settlements")]
impl Api {
    /// Set a fee rate
    ///
    /// By finance of the county. It bears on what is accepted from that day on; what is settled keeps its fee. Without
    /// any rate there is no fee.
    #[oai(path = "/fee_rates", method = "post", operation_id = "create_fee_rate")]
    async fn create_fee_rate(&self, caller: Signed, body: Body<NewFeeRate>) -> Answer<Created<FeeRate>> {
        let NewFeeRate { from_on, percent, source } = body.0;
        let rate = Rate::parse_percent(&percent.0).map_err(|error| Refusal::invalid("/percent", error))?;
        let made = super::create(&self.0, &caller, Wanted { from_on, rate, source }).await?;
        Ok(Created::at("/v1/fee_rates".to_owned(), made.into()))
    }

    /// List fee rates
    ///
    /// Those of your county, the one set last first. In force is the one whose day came last; of two of one day, the one
    /// set later.
    #[oai(path = "/fee_rates", method = "get", operation_id = "list_fee_rates")]
    async fn list_fee_rates(
        &self,
        caller: Signed,
        request: &poem::Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<FeeRate>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let rates = super::list(&self.0, &caller, page).await?;
        Ok(Listed::new(rates.map(FeeRate::from), request.uri()))
    }
}

impl From<FeeRateView> for FeeRate {
    fn from(view: FeeRateView) -> Self {
        Self {
            id: view.id,
            county: view.county_code,
            from_on: view.set.from_on,
            percent: DecimalText(view.set.rate.to_string()),
            source: view.set.source,
            set_by: view.set_by,
            created_at: view.created_at,
        }
    }
}
