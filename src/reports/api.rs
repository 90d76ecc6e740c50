//! Endpoints: Figures for the bureau.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Figures for the bureau.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Reports")]
impl Api {}
