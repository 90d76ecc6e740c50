//! Endpoints: What households offer.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// What households offer.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Lots")]
impl Api {}
