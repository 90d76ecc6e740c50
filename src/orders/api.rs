//! Endpoints: Bulk orders and how they are shared.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Bulk orders and how they are shared.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Orders")]
impl Api {}
