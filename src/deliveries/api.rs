//! Endpoints: Goods handed over and accepted.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Goods handed over and accepted.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Deliveries")]
impl Api {}
