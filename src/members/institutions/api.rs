//! Endpoints of institutions: make, read, edit.

use chrono::{DateTime, Utc};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::{Filter, InstitutionView, Kind};
use crate::app::App;
use crate::http::answers::{Created, Versioned, version_matched};
use crate::http::body::Body;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::members::households::api::region_filter;
use crate::members::institutions;
use crate::routes::Tag;

/// Buyers.
#[derive(Debug)]
pub struct Api(pub App);

/// Kind of buyer: agency 机关, school 学校, hospital 医院, public institution 事业单位, enterprise 企业, union 工会.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum InstitutionKind {
    Agency,
    School,
    Hospital,
    PublicInstitution,
    Enterprise,
    Union,
}

/// An institution to be made.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct NewInstitution {
    /// Region code of its county or below, 6 to 12 digits.
    #[oai(validator(min_length = 2, max_length = 12))]
    pub region: String,
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: String,
    pub kind: InstitutionKind,
    /// Unified social credit code by GB 32100, 18 characters.
    #[oai(validator(min_length = 1, max_length = 40))]
    pub credit_code: String,
}

/// What to change of an institution; what is absent stays.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct InstitutionChanges {
    #[oai(validator(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    pub kind: Option<InstitutionKind>,
}

/// A buyer.
#[derive(Debug, Object)]
pub struct Institution {
    pub id: Uuid,
    /// Six digits.
    pub county: String,
    /// Twelve digits.
    pub region: String,
    pub name: String,
    pub kind: InstitutionKind,
    pub credit_code: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Institutions")]
impl Api {
    /// Make an institution
    ///
    /// By officers, in their region. The credit code is checked by GB 32100 and never changes.
    #[oai(path = "/institutions", method = "post", operation_id = "create_institution")]
    async fn create_institution(
        &self,
        caller: Signed,
        body: Body<NewInstitution>,
    ) -> Answer<Created<Institution>> {
        let made = institutions::create(&self.0, &caller, body.0.into()).await?;
        let location = format!("/v1/institutions/{}", made.facts.id);
        Ok(Created::versioned(location, made.version, made.into()))
    }

    /// List institutions
    ///
    /// Those of your region, or your own; newest first.
    #[oai(path = "/institutions", method = "get", operation_id = "list_institutions")]
    async fn list_institutions(
        &self,
        caller: Signed,
        request: &poem::Request,
        /// A region code of 2 to 12 digits: its institutions and those of every region below it.
        #[oai(validator(min_length = 2, max_length = 12))]
        region: Query<Option<String>>,
        kind: Query<Option<InstitutionKind>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Institution>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let region = region.0.as_deref().map(region_filter).transpose()?;
        let filter = Filter { region, kind: kind.0.map(Kind::from) };
        let found = institutions::list(&self.0, &caller, &filter, page).await?;
        Ok(Listed::new(found.map(Institution::from), request.uri()))
    }

    /// Get an institution
    ///
    /// One of your region, or your own.
    #[oai(path = "/institutions/:id", method = "get", operation_id = "get_institution")]
    async fn get_institution(&self, caller: Signed, id: Path<Uuid>) -> Answer<Versioned<Institution>> {
        let found = institutions::get(&self.0, &caller, id.0).await?;
        Ok(Versioned::new(found.version, found.into()))
    }

    /// Edit an institution
    ///
    /// By officers: its name and kind.
    #[oai(path = "/institutions/:id", method = "patch", operation_id = "update_institution")]
    async fn update_institution(
        &self,
        caller: Signed,
        id: Path<Uuid>,
        #[oai(name = "If-Match")] if_match: Header<Option<String>>,
        body: Body<InstitutionChanges>,
    ) -> Answer<Versioned<Institution>> {
        let version = version_matched(if_match.0.as_deref())?;
        let InstitutionChanges { name, kind } = body.0;
        let edited =
            institutions::update(&self.0, &caller, id.0, version, name, kind.map(Kind::from)).await?;
        Ok(Versioned::new(edited.version, edited.into()))
    }
}

impl From<NewInstitution> for institutions::NewInstitution {
    fn from(new: NewInstitution) -> Self {
        Self {
            id: None,
            region_code: new.region,
            name: new.name,
            kind: new.kind.into(),
            credit_code: new.credit_code,
        }
    }
}

impl From<InstitutionView> for Institution {
    fn from(view: InstitutionView) -> Self {
        Self {
            id: view.facts.id,
            county: view.facts.county_code,
            region: view.facts.region_code,
            name: view.facts.name,
            kind: view.facts.kind.into(),
            credit_code: view.credit_code,
            created_at: view.created_at,
            updated_at: view.updated_at,
        }
    }
}

impl From<Kind> for InstitutionKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Agency => Self::Agency,
            Kind::School => Self::School,
            Kind::Hospital => Self::Hospital,
            Kind::PublicInstitution => Self::PublicInstitution,
            Kind::Enterprise => Self::Enterprise,
            Kind::Union => Self::Union,
        }
    }
}

impl From<InstitutionKind> for Kind {
    fn from(kind: InstitutionKind) -> Self {
        match kind {
            InstitutionKind::Agency => Self::Agency,
            InstitutionKind::School => Self::School,
            InstitutionKind::Hospital => Self::Hospital,
            InstitutionKind::PublicInstitution => Self::PublicInstitution,
            InstitutionKind::Enterprise => Self::Enterprise,
            InstitutionKind::Union => Self::Union,
        }
    }
}
