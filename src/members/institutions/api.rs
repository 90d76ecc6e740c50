//! Endpoints: Buyers.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Buyers.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Institutions")]
impl Api {}
