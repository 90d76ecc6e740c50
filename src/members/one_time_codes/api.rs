//! The endpoint of one-time codes.

use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::{Purpose, Sent};
use crate::app::App;
use crate::http::body::Body;
use crate::http::peer::current_peer;
use crate::http::problem::Answer;
use crate::members::one_time_codes;
use crate::routes::Tag;

/// The endpoint of one-time codes.
#[derive(Debug)]
pub struct Api(pub App);

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum CodePurpose {
    SignIn,
    ChangeBankAccount,
}

/// Who asks for a code.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub struct CodeRequest {
    /// The phone they sign in with.
    #[oai(validator(min_length = 7, max_length = 20))]
    pub phone: String,
    pub purpose: CodePurpose,
}

/// If the phone is somebody's, a code is on its way.
#[derive(Debug, Object)]
pub struct CodeSent {
    pub expires_in_seconds: i64,
    /// When the next code can be asked for.
    pub next_in_seconds: i64,
}

/// The answer is the same whether the phone is somebody's or nobody's.
#[derive(Debug, ApiResponse)]
pub enum CodeAccepted {
    /// On its way, if the phone is somebody's.
    #[oai(status = 202)]
    Accepted(Json<CodeSent>),
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Sessions")]
impl Api {
    /// Ask for a one-time code
    ///
    /// Six digits by text message, good for five minutes, once, and for this purpose; one a minute for each phone.
    #[oai(path = "/one_time_codes", method = "post", operation_id = "create_one_time_code")]
    async fn create_one_time_code(&self, body: Body<CodeRequest>) -> Answer<CodeAccepted> {
        let peer = current_peer().unwrap_or_default();
        let sent = one_time_codes::send(&self.0, &body.0.phone, body.0.purpose.into(), &peer).await?;
        Ok(CodeAccepted::Accepted(Json(sent.into())))
    }
}

impl From<CodePurpose> for Purpose {
    fn from(purpose: CodePurpose) -> Self {
        match purpose {
            CodePurpose::SignIn => Self::SignIn,
            CodePurpose::ChangeBankAccount => Self::ChangeBankAccount,
        }
    }
}

impl From<Sent> for CodeSent {
    fn from(sent: Sent) -> Self {
        Self { expires_in_seconds: sent.expires_in_seconds, next_in_seconds: sent.next_in_seconds }
    }
}
