//! The answers that endpoints share: created, found with its version, done once. And the headers that go with them.

use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;
use poem_openapi::types::{ParseFromJSON, ToJSON};
use uuid::Uuid;

use crate::id::secret_hash;
use crate::idempotency::Key;
use crate::refusal::Refusal;

/// Characters of an `Idempotency-Key` at most.
const KEY_CHARS_MAX: usize = 100;

/// Something was made.
#[derive(Debug, ApiResponse)]
pub enum Created<T: ToJSON> {
    /// Made.
    #[oai(status = 201)]
    Created(
        Json<T>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// Its version, for `If-Match`.
        #[oai(header = "ETag")]
        Option<String>,
        /// `true` when this is the stored answer of an earlier request.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

/// Something that can be edited, with its version.
#[derive(Debug, ApiResponse)]
pub enum Versioned<T: ToJSON> {
    /// As it is now.
    #[oai(status = 200)]
    Versioned(
        Json<T>,
        /// Its version, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// Gone, or done with nothing to say.
#[derive(Debug, ApiResponse)]
pub enum Deleted {
    /// Done.
    #[oai(status = 204)]
    Deleted,
}

/// A step that takes effect at most once.
#[derive(Debug, ApiResponse)]
pub enum Done<T: ToJSON> {
    /// Done.
    #[oai(status = 200)]
    Done(
        Json<T>,
        /// `true` when this is the stored answer of an earlier request.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

impl<T: ToJSON> Created<T> {
    /// Made at `location`, without a version or a key.
    #[must_use]
    pub fn at(location: String, body: T) -> Self {
        Self::Created(Json(body), location, None, None)
    }

    /// Made at `location`, with the version to edit it by.
    #[must_use]
    pub fn versioned(location: String, version: i64, body: T) -> Self {
        Self::Created(Json(body), location, Some(etag(version)), None)
    }

    /// Made at `location` by a request with an `Idempotency-Key`.
    #[must_use]
    pub fn once(location: String, is_replay: bool, body: T) -> Self {
        Self::Created(Json(body), location, None, is_replay.then_some(true))
    }
}

impl<T: ToJSON> Versioned<T> {
    #[must_use]
    pub fn new(version: i64, body: T) -> Self {
        Self::Versioned(Json(body), etag(version))
    }
}

impl<T: ToJSON> Done<T> {
    #[must_use]
    pub fn once(is_replay: bool, body: T) -> Self {
        Self::Done(Json(body), is_replay.then_some(true))
    }
}

/// A version as an entity tag.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version that an `If-Match` header names; missing is 428, anything that is not one of our tags is stale.
pub fn version_matched(if_match: Option<&str>) -> Result<i64, Refusal> {
    let tag = if_match.ok_or(Refusal::IfMatchMissing)?;
    tag.trim().strip_prefix('"').and_then(|tag| tag.strip_suffix('"')?.parse().ok()).ok_or(Refusal::Stale)
}

/// The key of a request that moves stock or money. `operation` is the operation id with the ids of its path.
pub fn idempotency_key<T: ToJSON + ParseFromJSON>(
    principal_id: Uuid,
    header: Option<&str>,
    operation: &str,
    body: &T,
) -> Result<Key, Refusal> {
    let key = header.ok_or(Refusal::IdempotencyKeyMissing)?;
    let is_visible = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_visible || key.len() > KEY_CHARS_MAX {
        return Err(Refusal::Malformed {
            detail: format!("Idempotency-Key: 1 to {KEY_CHARS_MAX} visible ASCII characters"),
        });
    }
    let fingerprint = secret_hash(&format!("{operation}\n{}", body.to_json_string()));
    Ok(Key { principal_id, key: key.to_owned(), fingerprint })
}
