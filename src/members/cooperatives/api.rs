//! Endpoints: Entities that bundle member households.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Entities that bundle member households.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Cooperatives")]
impl Api {}
