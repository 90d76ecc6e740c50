//! Reads the body of a request before anything works on it: within a number of bytes and within a time, and only so many
//! files at once. What comes behind this layer has the whole body in memory.

use std::sync::Arc;
use std::time::Duration;

use poem::http::Method;
use poem::http::header::CONTENT_LENGTH;
use poem::{Endpoint, Error, Middleware, Request, Result};
use tokio::sync::Semaphore;

use crate::http::problem::{self, Problem};
use crate::refusal::Refusal;

/// Files taken in at once. Each may be as large as `upload_bytes_max`, and all are held in memory.
const UPLOADS_MAX: usize = 16;

/// Bounds bodies. Stands inside decompression, so that what it counts is what we would have to hold.
#[derive(Clone, Debug)]
pub struct Intake {
    bytes_max: usize,
    /// For bodies that are files (`application/octet-stream`).
    upload_bytes_max: usize,
    patience: Duration,
    uploads: Arc<Semaphore>,
}

impl Intake {
    /// A body must be here within `patience` after the head.
    #[must_use]
    pub fn new(bytes_max: usize, upload_bytes_max: usize, patience: Duration) -> Self {
        Self { bytes_max, upload_bytes_max, patience, uploads: Arc::new(Semaphore::new(UPLOADS_MAX)) }
    }
}

impl<E: Endpoint> Middleware<E> for Intake {
    type Output = IntakeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        IntakeEndpoint { inner, intake: self.clone() }
    }
}

/// The endpoint that [`Intake`] makes.
#[derive(Debug)]
pub struct IntakeEndpoint<E> {
    inner: E,
    intake: Intake,
}

impl<E: Endpoint> Endpoint for IntakeEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        let Intake { bytes_max, upload_bytes_max, patience, uploads } = &self.intake;
        let is_upload =
            request.content_type().is_some_and(|kind| kind.starts_with("application/octet-stream"));
        let limit_bytes = if is_upload { *upload_bytes_max } else { *bytes_max };
        let too_large = || Error::from(Problem::from(Refusal::BodyTooLarge { limit_bytes }));
        let declared = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|bytes| bytes > limit_bytes) {
            return Err(too_large());
        }
        let busy = |_| Error::from(Problem::from(Refusal::Busy { retry_after_seconds: 5 }));
        let _place = if is_upload { Some(uploads.try_acquire().map_err(busy)?) } else { None };
        if has_body(&request) {
            let reading = request.take_body().into_bytes_limit(limit_bytes);
            let read = tokio::time::timeout(*patience, reading).await.map_err(|_| too_slow())?;
            request.set_body(read.map_err(|_| too_large())?);
        }
        self.inner.call(request).await
    }
}

fn has_body(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

fn too_slow() -> Error {
    let detail = "The body did not arrive in time. Send it again, over a faster line or in smaller parts.";
    Error::from_response(problem::unlisted(408, "body_too_slow", detail))
}
