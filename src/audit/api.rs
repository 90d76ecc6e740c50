//! Endpoints: Who wrote what, and whether every account matches every other.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Who wrote what, and whether every account matches every other.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Audit")]
impl Api {}
