//! Endpoints: The region tree: statistical codes valid from and to a day.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// The region tree: statistical codes valid from and to a day.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Regions")]
impl Api {}
