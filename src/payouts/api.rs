//! Endpoints: Money out to households.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Money out to households.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Payouts")]
impl Api {}
