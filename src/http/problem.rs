//! The one shape of every refusal: RFC 9457 `application/problem+json` with a stable `code`. Which reason gets which
//! status and code is decided here and nowhere else. A detail is for people and never names an internal.

use chrono::NaiveDate;
use poem::IntoResponse;
use poem::http::StatusCode;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object};

use crate::http::imports::RefusedCell;
use crate::http::scalars::{Amount, Yuan};
use crate::money::Fen;
use crate::refusal::{Failure, LineShortfall, OverdueSettlement, Refusal};

/// Why a request was refused.
#[derive(Clone, Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ProblemBody {
    /// Identifies the kind of problem: `/problems/` and the code.
    #[oai(rename = "type")]
    pub kind: String,
    /// The same for every problem of this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people: what is wrong and what to do next.
    pub detail: String,
    /// The request, as the log names it.
    pub request_id: Option<String>,
    /// Where in the body the value is that was refused (JSON pointer).
    pub pointer: Option<String>,
    /// What could not be filled, per line of the order.
    pub shortfalls: Option<Vec<Shortfall>>,
    /// The settlements that are overdue, the oldest first, at most 20.
    pub overdue: Option<Vec<OverdueDebt>>,
    /// The cells of an imported table that were refused, at most 1,000.
    pub cells: Option<Vec<RefusedCell>>,
}

/// What could not be filled of one line.
#[derive(Clone, Debug, Object)]
pub struct Shortfall {
    /// Counted from 1.
    pub line_no: u32,
    pub product: String,
    pub missing: Amount,
}

/// A settlement that is overdue.
#[derive(Clone, Debug, Object)]
pub struct OverdueDebt {
    pub number: String,
    pub due_on: NaiveDate,
    pub open: Yuan,
}

/// A refusal as an HTTP answer.
#[derive(Debug, ApiResponse)]
pub enum Problem {
    /// The body or a parameter cannot be read.
    #[oai(status = 400, content_type = "application/problem+json")]
    BadRequest(Json<ProblemBody>),
    /// No valid session.
    #[oai(status = 401, content_type = "application/problem+json")]
    Unauthorized(Json<ProblemBody>, #[oai(header = "WWW-Authenticate")] String),
    /// The caller's role does not do this.
    #[oai(status = 403, content_type = "application/problem+json")]
    Forbidden(Json<ProblemBody>),
    /// Does not exist for this caller.
    #[oai(status = 404, content_type = "application/problem+json")]
    NotFound(Json<ProblemBody>),
    /// This method does not exist here.
    #[oai(status = 405, content_type = "application/problem+json")]
    MethodNotAllowed(Json<ProblemBody>),
    /// Not possible in the present state.
    #[oai(status = 409, content_type = "application/problem+json")]
    Conflict(Json<ProblemBody>, #[oai(header = "Retry-After")] Option<u64>),
    /// Changed since it was read.
    #[oai(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(Json<ProblemBody>),
    /// The body is too large.
    #[oai(status = 413, content_type = "application/problem+json")]
    PayloadTooLarge(Json<ProblemBody>),
    /// The body is of another media type than the contract says.
    #[oai(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Json<ProblemBody>),
    /// A value is not acceptable.
    #[oai(status = 422, content_type = "application/problem+json")]
    UnprocessableEntity(Json<ProblemBody>),
    /// `If-Match` or `Idempotency-Key` is missing.
    #[oai(status = 428, content_type = "application/problem+json")]
    PreconditionRequired(Json<ProblemBody>),
    /// Too many tries.
    #[oai(status = 429, content_type = "application/problem+json")]
    TooManyRequests(Json<ProblemBody>, #[oai(header = "Retry-After")] u64),
    /// Something broke; the log knows what.
    #[oai(status = 500, content_type = "application/problem+json")]
    InternalServerError(Json<ProblemBody>),
    /// Too busy; come back.
    #[oai(status = 503, content_type = "application/problem+json")]
    ServiceUnavailable(Json<ProblemBody>, #[oai(header = "Retry-After")] u64),
}

/// What an endpoint answers.
pub type Answer<T> = Result<T, Problem>;

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::from(refusal),
            // A row that another transaction created first is the caller's to see, not ours to log.
            Failure::Database(error) if crate::db::is_duplicate(&error) => {
                Self::from(Refusal::Duplicate { detail: "it exists already".to_owned() })
            }
            Failure::Database(error) => broken(&error),
            Failure::LostRace => Self::from(Refusal::Busy { retry_after_seconds: 1 }),
            Failure::Broken(reason) => broken(&reason),
        }
    }
}

impl From<sea_orm::DbErr> for Problem {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::from(Failure::from(error))
    }
}

impl From<Refusal> for Problem {
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each refusal, in one place, so that none is forgotten"
    )]
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotSignedIn => {
                Self::of(401, "not_signed_in", "Sign in at POST /v1/sessions and send the token as a bearer.")
            }
            Refusal::NotAllowed => Self::of(403, "not_allowed", "Your role does not do this."),
            Refusal::SecondFactorMissing => Self::of(
                403,
                "second_factor_missing",
                "Your role needs a second factor. Set one up at POST /v1/me/second_factor, then confirm it.",
            ),
            Refusal::PasswordExpired => Self::of(
                403,
                "password_expired",
                "Choose a password of your own at PUT /v1/me/password, then go on.",
            ),
            Refusal::NotFound(what) => {
                Self::of(404, "not_found", format!("There is no such {what} for you."))
            }
            Refusal::SignInFailed => Self::of(
                401,
                "sign_in_failed",
                "Account, password and code do not match. Check them and try again.",
            ),
            Refusal::TooManyAttempts { retry_after_seconds } => Self::TooManyRequests(
                body(429, "too_many_attempts", "Too many tries. Wait, then try again."),
                retry_after_seconds,
            ),
            Refusal::DailyLimit { what, max, retry_after_seconds } => Self::TooManyRequests(
                body(429, "daily_limit_reached", format!("At most {max} {what} a day. Go on tomorrow.")),
                retry_after_seconds,
            ),
            Refusal::TooFast { retry_after_seconds } => Self::TooManyRequests(
                body(429, "too_many_requests", "Too many requests. Wait, then go on more slowly."),
                retry_after_seconds,
            ),
            Refusal::Malformed { detail } => Self::of(400, "malformed_request", detail),
            Refusal::Invalid { pointer, detail } => Self::at(422, "invalid_value", pointer, detail),
            Refusal::RegionUnknown { pointer, code } => Self::at(
                422,
                "region_unknown",
                pointer,
                format!("There is no region {code}. Look it up at GET /v1/regions."),
            ),
            Refusal::RegionRevoked { pointer, code } => Self::at(
                422,
                "region_revoked",
                pointer,
                format!("Region {code} is no longer valid. Use the one that replaced it."),
            ),
            Refusal::CreditCodeInvalid { pointer } => Self::at(
                422,
                "credit_code_invalid",
                pointer,
                "The unified social credit code is not valid (GB 32100: 18 characters, check digit).",
            ),
            Refusal::WrongState { what, from, attempted } => Self::of(
                409,
                "wrong_state",
                format!("The {what} is {from}; to {attempted} it is not possible now."),
            ),
            Refusal::Stale => Self::of(
                412,
                "stale_version",
                "Somebody changed it since you read it. Read it again, then repeat your change.",
            ),
            Refusal::IfMatchMissing => {
                Self::of(428, "if_match_missing", "Send If-Match with the ETag you read.")
            }
            Refusal::IdempotencyKeyMissing => Self::of(
                428,
                "idempotency_key_missing",
                "Send an Idempotency-Key of your own making, 1 to 100 visible characters.",
            ),
            Refusal::IdempotencyKeyReused => Self::of(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request. Make a new one.",
            ),
            Refusal::IdempotencyKeyInFlight => Self::Conflict(
                body(
                    409,
                    "idempotency_key_in_flight",
                    "The request with this Idempotency-Key is still being worked on. Ask again in a moment.",
                ),
                Some(1),
            ),
            Refusal::Duplicate { detail } => Self::of(409, "duplicate", detail),
            Refusal::StockShort { lines } => short(&lines),
            Refusal::OverdueDebt { settlements, total, days_max } => indebted(settlements, total, days_max),
            Refusal::DepositShort { detail } => Self::of(409, "deposit_short", detail),
            Refusal::StillBound { detail } => Self::of(409, "still_bound", detail),
            Refusal::SecondPersonNeeded => Self::of(
                409,
                "second_person_needed",
                "Two different people must do this; you did the first step.",
            ),
            Refusal::CursorExpired => {
                Self::of(400, "cursor_expired", "This cursor is not valid any more. Begin again without one.")
            }
            Refusal::SettingMissing { setting } => Self::of(
                409,
                "setting_missing",
                format!("This needs a setting that is not set. Whoever runs the service sets {setting}."),
            ),
            Refusal::KeysMissing => Self::of(
                503,
                "keys_missing",
                "Personal data needs a file of keys. Whoever runs the service sets ZHUXIAO_KEYS to it.",
            ),
            Refusal::BodyTooLarge { limit_bytes } => {
                Self::of(413, "body_too_large", format!("At most {limit_bytes} bytes."))
            }
            Refusal::Busy { retry_after_seconds } => Self::ServiceUnavailable(
                body(503, "busy", "The service is busy. Try again in a moment."),
                retry_after_seconds,
            ),
        }
    }
}

impl Problem {
    /// A problem of one of the statuses of this enum.
    #[must_use]
    pub fn of(status: u16, code: &str, detail: impl Into<String>) -> Self {
        let body = body(status, code, detail);
        match status {
            400 => Self::BadRequest(body),
            401 => Self::Unauthorized(body, "Bearer".to_owned()),
            403 => Self::Forbidden(body),
            404 => Self::NotFound(body),
            405 => Self::MethodNotAllowed(body),
            409 => Self::Conflict(body, None),
            412 => Self::PreconditionFailed(body),
            413 => Self::PayloadTooLarge(body),
            415 => Self::UnsupportedMediaType(body),
            422 => Self::UnprocessableEntity(body),
            428 => Self::PreconditionRequired(body),
            429 => Self::TooManyRequests(body, 1),
            503 => Self::ServiceUnavailable(body, 1),
            _ => Self::InternalServerError(body),
        }
    }

    fn at(status: u16, code: &str, pointer: String, detail: impl Into<String>) -> Self {
        let mut problem = Self::of(status, code, detail);
        if let Self::UnprocessableEntity(Json(body)) = &mut problem {
            body.pointer = Some(pointer).filter(|pointer| !pointer.is_empty());
        }
        problem
    }
}

/// A problem of a status that is decided before any operation is known, and that no operation's answers list.
#[must_use]
pub fn unlisted(status: u16, code: &str, detail: &str) -> poem::Response {
    let mut response = Problem::of(status, code, detail).into_response();
    response.set_status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response
}

/// An error of the framework, in the shape of every other refusal.
#[must_use]
pub fn of_framework(error: &poem::Error) -> Problem {
    use poem_openapi::error::{
        AuthorizationError, ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError,
    };

    if let Some(bad) = error.downcast_ref::<ParseParamError>() {
        return Problem::of(400, "invalid_parameter", format!("{}: {}", bad.name, plain_reason(&bad.reason)));
    }
    if let Some(bad) = error.downcast_ref::<ParsePathError>() {
        return Problem::of(400, "invalid_parameter", format!("{}: {}", bad.name, plain_reason(&bad.reason)));
    }
    if error.is::<ParseRequestPayloadError>() {
        return Problem::of(400, "malformed_request", "The body cannot be read.");
    }
    if error.is::<ContentTypeError>() {
        return Problem::of(
            415,
            "unsupported_media_type",
            "Send the media type that the contract names, such as application/json.",
        );
    }
    if error.is::<AuthorizationError>() {
        return Problem::from(Refusal::NotSignedIn);
    }
    match error.status() {
        StatusCode::NOT_FOUND => Problem::of(404, "not_found", "There is nothing here."),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::of(405, "method_not_allowed", "This method does not exist here.")
        }
        StatusCode::BAD_REQUEST => Problem::of(400, "malformed_request", "The request cannot be read."),
        _ => broken(error),
    }
}

/// The framework prefixes its reasons with the name of a type of ours; people need only what follows.
#[must_use]
pub fn plain_reason(reason: &str) -> &str {
    let reason = reason
        .strip_prefix("failed to parse \"")
        .and_then(|rest| rest.split_once("\": "))
        .map_or(reason, |(_, rest)| rest);
    reason.split_once(" (occurred while parsing").map_or(reason, |(before, _)| before)
}

fn indebted(settlements: Vec<OverdueSettlement>, total: Fen, days_max: i64) -> Problem {
    let detail = format!(
        "Settlements are unpaid for more than {days_max} days after they were due, {total} together. Pay them, then \
         order again."
    );
    let mut problem = Problem::of(409, "overdue_debt", detail);
    if let Problem::Conflict(Json(body), _) = &mut problem {
        let named = settlements.into_iter();
        let named = named.map(|OverdueSettlement { number, due_on, open }| OverdueDebt {
            number,
            due_on,
            open: Yuan(open),
        });
        body.overdue = Some(named.collect());
    }
    problem
}

fn short(lines: &[LineShortfall]) -> Problem {
    let told: Vec<String> = lines
        .iter()
        .map(|line| {
            let missing = Amount::new(line.missing_base, line.measure);
            format!("line {}: {} {} of {} missing", line.line_no, missing.amount, missing.unit, line.product)
        })
        .collect();
    let detail = format!(
        "Not enough on sale: {}. Order less, raise the price, widen the region or allow a partial order.",
        told.join("; ")
    );
    let mut body = body(409, "stock_short", detail);
    body.0.shortfalls = Some(
        lines
            .iter()
            .map(|line| Shortfall {
                line_no: u32::try_from(line.line_no).unwrap_or(u32::MAX),
                product: line.product.clone(),
                missing: Amount::new(line.missing_base, line.measure),
            })
            .collect(),
    );
    Problem::Conflict(body, None)
}

/// The cause goes to the log, once; the caller learns the request id to quote.
fn broken(cause: &impl std::fmt::Display) -> Problem {
    tracing::error!(%cause, "request failed");
    Problem::of(
        500,
        "internal_error",
        "Something broke on our side. Nothing was changed. Tell us the request id.",
    )
}

fn body(status: u16, code: &str, detail: impl Into<String>) -> Json<ProblemBody> {
    Json(ProblemBody {
        kind: format!("/problems/{code}"),
        title: title(status).to_owned(),
        status,
        code: code.to_owned(),
        detail: detail.into(),
        request_id: crate::http::edge::current_request_id(),
        pointer: None,
        shortfalls: None,
        overdue: None,
        cells: None,
    })
}

fn title(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Problem")
}

impl Problem {
    /// The body, whatever the status.
    #[must_use]
    pub fn into_body(self) -> ProblemBody {
        match self {
            Self::BadRequest(Json(body))
            | Self::Unauthorized(Json(body), _)
            | Self::Forbidden(Json(body))
            | Self::NotFound(Json(body))
            | Self::MethodNotAllowed(Json(body))
            | Self::Conflict(Json(body), _)
            | Self::PreconditionFailed(Json(body))
            | Self::PayloadTooLarge(Json(body))
            | Self::UnsupportedMediaType(Json(body))
            | Self::UnprocessableEntity(Json(body))
            | Self::PreconditionRequired(Json(body))
            | Self::TooManyRequests(Json(body), _)
            | Self::InternalServerError(Json(body))
            | Self::ServiceUnavailable(Json(body), _) => body,
        }
    }
}
