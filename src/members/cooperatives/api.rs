//! Endpoints of cooperatives: make, list, add and remove members.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use uuid::Uuid;

use super::{CooperativeView, Kind};
use crate::app::App;
use crate::http::answers::Created;
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::members::cooperatives;
use crate::routes::Tag;

/// Entities that bundle member households.
#[derive(Debug)]
pub struct Api(pub App);

/// Kind of entity: park 园区, leading enterprise 龙头企业, cooperative 合作社, family farm 家庭农场.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum CooperativeKind {
    Park,
    LeadingEnterprise,
    Cooperative,
    FamilyFarm,
}

/// A cooperative to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewCooperative {
    /// Region code of its county or below, 6 to 12 digits.
    #[oai(validator(min_length = 2, max_length = 12))]
    pub region: String,
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    pub kind: CooperativeKind,
}

/// An entity that bundles member households; they stay the payees.
#[derive(Debug, Object)]
pub struct Cooperative {
    pub id: Uuid,
    /// Twelve digits.
    pub region: String,
    pub name: String,
    pub kind: CooperativeKind,
    /// Households that are members now.
    pub members: u64,
    pub created_at: DateTime<Utc>,
}

/// The household is no member any more.
#[derive(Debug, ApiResponse)]
pub enum MemberRemoved {
    /// Gone.
    #[oai(status = 204)]
    Removed,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Cooperatives")]
impl Api {
    /// Make a cooperative
    ///
    /// By officers, in their region.
    #[oai(path = "/cooperatives", method = "post", operation_id = "create_cooperative")]
    async fn create_cooperative(
        &self,
        caller: Signed,
        body: Body<NewCooperative>,
    ) -> Answer<Created<Cooperative>> {
        let NewCooperative { region, name, kind } = body.0;
        let new = cooperatives::NewCooperative { region_code: region, name, kind: kind.into() };
        let made = cooperatives::create(&self.0, &caller, new).await?;
        Ok(Created::at("/v1/cooperatives".to_owned(), made.into()))
    }

    /// List cooperatives
    ///
    /// Those of your region, newest first.
    #[oai(path = "/cooperatives", method = "get", operation_id = "list_cooperatives")]
    async fn list_cooperatives(
        &self,
        caller: Signed,
        request: &poem::Request,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Cooperative>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let found = cooperatives::list(&self.0, &caller, page).await?;
        Ok(Listed::new(found.map(Cooperative::from), request.uri()))
    }

    /// Add a member
    ///
    /// By officers. A household that is a member stays one.
    #[oai(
        path = "/cooperatives/:id/members/:household_id",
        method = "put",
        operation_id = "add_cooperative_member"
    )]
    async fn add_cooperative_member(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        household_id: Path<Uuid>,
    ) -> Answer<Json<Cooperative>> {
        Ok(Json(cooperatives::join(&self.0, &caller, id.0, household_id.0).await?.into()))
    }

    /// Remove a member
    ///
    /// By officers. Its last day was yesterday; what was sold while it was a member stays so.
    #[oai(
        path = "/cooperatives/:id/members/:household_id",
        method = "delete",
        operation_id = "remove_cooperative_member"
    )]
    async fn remove_cooperative_member(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        household_id: Path<Uuid>,
    ) -> Answer<MemberRemoved> {
        cooperatives::leave(&self.0, &caller, id.0, household_id.0).await?;
        Ok(MemberRemoved::Removed)
    }
}

impl From<CooperativeView> for Cooperative {
    fn from(view: CooperativeView) -> Self {
        Self {
            id: view.id,
            region: view.region_code,
            name: view.name,
            kind: view.kind.into(),
            members: u64::try_from(view.members).unwrap_or(0),
            created_at: view.created_at,
        }
    }
}

impl From<Kind> for CooperativeKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Park => Self::Park,
            Kind::LeadingEnterprise => Self::LeadingEnterprise,
            Kind::Cooperative => Self::Cooperative,
            Kind::FamilyFarm => Self::FamilyFarm,
        }
    }
}

impl From<CooperativeKind> for Kind {
    fn from(kind: CooperativeKind) -> Self {
        match kind {
            CooperativeKind::Park => Self::Park,
            CooperativeKind::LeadingEnterprise => Self::LeadingEnterprise,
            CooperativeKind::Cooperative => Self::Cooperative,
            CooperativeKind::FamilyFarm => Self::FamilyFarm,
        }
    }
}
