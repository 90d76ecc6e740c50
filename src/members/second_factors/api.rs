//! Endpoints of the second factor: set up, confirm.

use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::NewFactor;
use crate::app::App;
use crate::http::answers::Deleted;
use crate::http::body::Body;
use crate::http::problem::Answer;
use crate::members::access::Signed;
use crate::members::second_factors;
use crate::routes::Tag;

/// Endpoints of the second factor.
#[derive(Debug)]
pub struct Api(pub App);

/// Who sets up a second factor.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SecondFactorRequest {
    #[oai(validator(min_length = 1, max_length = 200))]
    pub password: String,
    /// A code of the second factor that is in force, when there is one.
    #[oai(validator(pattern = "^[0-9]{6}$"))]
    pub code: Option<String>,
}

/// A secret for an authenticator app. Shown once.
#[derive(Debug, Object)]
pub struct SecondFactorSecret {
    /// To be typed into the app.
    pub secret: String,
    /// To be shown to the app as a picture.
    pub uri: String,
}

/// What the app shows.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct SecondFactorCode {
    #[oai(validator(pattern = "^[0-9]{6}$"))]
    pub code: String,
}

/// A secret was made.
#[derive(Debug, ApiResponse)]
pub enum SecretMade {
    /// Made; not in force yet.
    #[oai(status = 201)]
    Made(Json<SecondFactorSecret>),
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Sessions")]
impl Api {
    /// Set up a second factor
    ///
    /// Answers the secret for an authenticator app (RFC 6238), once. It is in force after the first code is confirmed.
    #[oai(path = "/me/second_factor", method = "post", operation_id = "begin_second_factor")]
    async fn begin_second_factor(
        &self,
        caller: Signed,
        body: Body<SecondFactorRequest>,
    ) -> Answer<SecretMade> {
        let made = second_factors::begin(&self.0, &caller, &body.0.password, body.0.code.as_deref()).await?;
        Ok(SecretMade::Made(Json(made.into())))
    }

    /// Confirm a second factor
    ///
    /// With the code that the app shows. From then on signing in needs one; your other sessions end.
    #[oai(path = "/me/second_factor/confirm", method = "post", operation_id = "confirm_second_factor")]
    async fn confirm_second_factor(&self, caller: Signed, body: Body<SecondFactorCode>) -> Answer<Deleted> {
        second_factors::confirm(&self.0, &caller, &body.0.code).await?;
        Ok(Deleted::Deleted)
    }
}

impl From<NewFactor> for SecondFactorSecret {
    fn from(made: NewFactor) -> Self {
        Self { secret: made.secret, uri: made.uri }
    }
}
