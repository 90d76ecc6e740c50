//! Endpoints of pairings: pair, list, end.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use uuid::Uuid;

use super::{Filter, PairingView};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::members::pairings;
use crate::routes::Tag;

/// Helpers paired with households.
#[derive(Debug)]
pub struct Api(pub App);

/// A pairing to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewPairing {
    pub helper_id: Uuid,
    pub household_id: Uuid,
    /// The first day; today when absent, never later.
    pub from_on: Option<NaiveDate>,
}

/// How a pairing ends.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct PairingEnd {
    /// The last day, at most today. When absent the pairing ends at once: its last day was yesterday.
    pub last_on: Option<NaiveDate>,
}

/// A helper paired with a household.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Pairing {
    pub id: Uuid,
    pub helper_id: Uuid,
    pub household_id: Uuid,
    pub from_on: NaiveDate,
    /// The last day; absent while it is open.
    pub to_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Pairings")]
impl Api {
    /// Pair a helper with a household
    ///
    /// By officers, for a household of their region and a helper of its county.
    #[oai(path = "/pairings", method = "post", operation_id = "create_pairing")]
    async fn create_pairing(&self, caller: Signed, body: Body<NewPairing>) -> Answer<Created<Pairing>> {
        let NewPairing { helper_id, household_id, from_on } = body.0;
        let made = pairings::create(&self.0, &caller, helper_id, household_id, from_on).await?;
        Ok(Created::at(format!("/v1/pairings?household_id={household_id}"), made.into()))
    }

    /// List pairings
    ///
    /// Your own, or those of households in your region; newest first.
    #[oai(path = "/pairings", method = "get", operation_id = "list_pairings")]
    async fn list_pairings(
        &self,
        caller: Signed,
        request: &poem::Request,
        helper_id: Query<Option<Uuid>>,
        household_id: Query<Option<Uuid>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Pairing>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let filter = Filter { helper_id: helper_id.0, household_id: household_id.0 };
        let found = pairings::list(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(found.map(Pairing::from), request.uri()))
    }

    /// End a pairing
    ///
    /// By officers. What the helper did while paired stays.
    #[oai(path = "/pairings/:id/end", method = "post", operation_id = "end_pairing")]
    async fn end_pairing(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<PairingEnd>,
    ) -> Answer<Json<Pairing>> {
        Ok(Json(pairings::end(&self.0, &caller, id.0, body.0.last_on).await?.into()))
    }
}

impl From<PairingView> for Pairing {
    fn from(row: PairingView) -> Self {
        Self {
            id: row.id,
            helper_id: row.helper_id,
            household_id: row.household_id,
            from_on: row.from_on,
            to_on: row.to_on,
            created_at: row.created_at,
        }
    }
}
