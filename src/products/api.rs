//! Endpoints: The catalogue and its reference prices.

use poem_openapi::OpenApi;

use crate::app::App;
use crate::routes::Tag;

/// The catalogue and its reference prices.
#[derive(Debug)]
pub struct Api(pub App);

#[OpenApi(prefix_path = "/v1", tag = "Tag::Products")]
impl Api {}
