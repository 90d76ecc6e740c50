//! Endpoints: What acceptances make owed.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// What acceptances make owed.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Settlements")]
impl Api {}
