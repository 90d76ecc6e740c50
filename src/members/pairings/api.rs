//! Endpoints: Helpers paired with households.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Helpers paired with households.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Pairings")]
impl Api {}
