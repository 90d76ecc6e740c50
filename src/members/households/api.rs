//! Endpoints: Families that offer produce, their statuses and survey visits.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Families that offer produce, their statuses and survey visits.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Households")]
impl Api {}
