//! Endpoints: Money in.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Money in.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payments")]
impl Api {}
