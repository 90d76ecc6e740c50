//! Endpoints of regions: read only. Regions come in with `zhuxiao import regions`.

use chrono::NaiveDate;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use crate::app::App;
use crate::http::page::{Listed, page_request};
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::regions;
use crate::routes::Tag;

/// The region tree: statistical codes valid from and to a day.
#[derive(Debug)]
pub struct Api(pub App);

/// How high a region stands in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum RegionLevel {
    Province,
    City,
    County,
    Township,
    Village,
}

/// A node of the region tree.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Region {
    /// Twelve digits.
    pub code: String,
    pub level: RegionLevel,
    pub name: String,
    /// Code of the region above; absent at the top.
    pub parent: Option<String>,
    pub valid_from: NaiveDate,
    /// The last day of a code that is or will be revoked.
    pub valid_to: Option<NaiveDate>,
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Regions")]
impl Api {
    /// List regions
    ///
    /// The regions directly below `parent`, or the topmost ones, that are valid today, by code.
    #[oai(path = "/regions", method = "get", operation_id = "list_regions")]
    async fn list_regions(
        &self,
        _caller: Signed,
        request: &poem::Request,
        /// A code of 2 to 12 digits.
        #[oai(validator(min_length = 2, max_length = 12))]
        parent: Query<Option<String>>,
        limit: Query<Option<u64>>,
        cursor: Query<Option<String>>,
    ) -> Answer<Listed<Region>> {
        let page = page_request(limit.0, cursor.0.as_deref())?;
        let regions = regions::list(&self.0, parent.0.as_deref(), page).await?;
        Ok(Listed::new(regions.map(Region::from), request.uri()))
    }

    /// Get a region
    ///
    /// By its code of 2 to 12 digits; also one that is no longer valid.
    #[oai(path = "/regions/:code", method = "get", operation_id = "get_region")]
    async fn get_region(
        &self,
        _caller: Signed,
        #[oai(validator(min_length = 2, max_length = 12))] code: Path<String>,
    ) -> Answer<Json<Region>> {
        Ok(Json(regions::find(&self.0, &code.0).await?.into()))
    }
}

impl From<regions::Region> for Region {
    fn from(region: regions::Region) -> Self {
        Self {
            code: region.code,
            level: region.level.into(),
            name: region.name,
            parent: region.parent_code,
            valid_from: region.valid_from,
            valid_to: region.valid_to,
        }
    }
}

impl From<regions::Level> for RegionLevel {
    fn from(level: regions::Level) -> Self {
        match level {
            regions::Level::Province => Self::Province,
            regions::Level::City => Self::City,
            regions::Level::County => Self::County,
            regions::Level::Township => Self::Township,
            regions::Level::Village => Self::Village,
        }
    }
}
