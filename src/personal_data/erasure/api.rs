//! Endpoints of requests to be erased.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{RequestView, State};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::routes::Tag;

/// Endpoints of requests to be erased.
#[derive(Debug)]
pub struct Api(pub App);

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum ErasureState {
    Requested,
    Approved,
    Refused,
}

/// Why, if you want to say.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewErasureRequest {
    #[oai(validator(min_length = 1, max_length = 500))]
    pub reason: Option<String>,
}

/// Why a request is refused.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct ErasureRefusal {
    #[oai(validator(min_length = 5, max_length = 500))]
    pub reason: String,
}

/// A request to be erased, and what was decided.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ErasureRequest {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    pub household_id: Uuid,
    pub state: ErasureState,
    pub reason: Option<String>,
    pub requested_by: Uuid,
    pub requested_at: DateTime<Utc>,
    pub decided_by: Option<Uuid>,
    pub decided_at: Option<DateTime<Utc>>,
    pub refusal_reason: Option<String>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::PersonalData")]
impl Api {
    /// Ask to be erased
    ///
    /// By a household, about itself. An officer of its region decides.
    #[oai(path = "/me/erasure_requests", method = "post", operation_id = "request_erasure")]
    async fn request_erasure(
        &self,
        caller: Signed,
        body: Body<NewErasureRequest>,
    ) -> Answer<Created<ErasureRequest>> {
        let made = super::request(&self.0, &caller, body.0.reason).await?;
        Ok(Created::at("/v1/me/data_export".to_owned(), made.into()))
    }

    /// List requests to be erased
    ///
    /// Of your region, newest first. By officers.
    #[oai(path = "/erasure_requests", method = "get", operation_id = "list_erasure_requests")]
    async fn list_erasure_requests(
        &self,
        caller: Signed,
        request: &poem::Request,
        state: Query<Option<ErasureState>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<ErasureRequest>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let found = super::list(&self.0, &caller, state.0.map(State::from), page).await?;
        Ok(Listed::new(found.map(ErasureRequest::from), request.uri()))
    }

    /// Erase a household
    ///
    /// By an officer of its region. Name, numbers, address and sign-in go; entries, papers and what banks were told stay,
    /// under a pseudonym. Refused while it has lots on sale, open orders or money to come.
    #[oai(path = "/erasure_requests/:id/approve", method = "post", operation_id = "approve_erasure")]
    async fn approve_erasure(&self, caller: Signed, id: Path<Uuid>) -> Answer<Json<ErasureRequest>> {
        Ok(Json(super::approve(&self.0, &caller, id.0).await?.into()))
    }

    /// Refuse to erase a household
    ///
    /// By an officer of its region, with the reason, which the household reads.
    #[oai(path = "/erasure_requests/:id/refuse", method = "post", operation_id = "refuse_erasure")]
    async fn refuse_erasure(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        body: Body<ErasureRefusal>,
    ) -> Answer<Json<ErasureRequest>> {
        Ok(Json(super::refuse(&self.0, &caller, id.0, body.0.reason).await?.into()))
    }
}

impl From<RequestView> for ErasureRequest {
    fn from(view: RequestView) -> Self {
        Self {
            id: view.id,
            county: view.county_code,
            household_id: view.household_id,
            state: view.state.into(),
            reason: view.reason,
            requested_by: view.requested_by,
            requested_at: view.requested_at,
            decided_by: view.decided_by,
            decided_at: view.decided_at,
            refusal_reason: view.refusal_reason,
        }
    }
}

impl From<State> for ErasureState {
    fn from(state: State) -> Self {
        match state {
            State::Requested => Self::Requested,
            State::Approved => Self::Approved,
            State::Refused => Self::Refused,
        }
    }
}

impl From<ErasureState> for State {
    fn from(state: ErasureState) -> Self {
        match state {
            ErasureState::Requested => Self::Requested,
            ErasureState::Approved => Self::Approved,
            ErasureState::Refused => Self::Refused,
        }
    }
}
