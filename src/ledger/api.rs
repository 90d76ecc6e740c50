//! Endpoints: Double-entry accounts.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// Double-entry accounts.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Ledger")]
impl Api {}
