//! What every request passes on its way in and every answer on its way out: request id, log line, metrics, limits of
//! size and time, and one shape for errors of the framework. Knows no slice.

use std::future::Future;
use std::time::{Duration, Instant};

use poem::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, VARY};
use poem::http::{HeaderMap, Method};
use poem::{Endpoint, Error, IntoResponse, Middleware, PathPattern, Request, Response, Result};
use tracing::Instrument;
use uuid::Uuid;

use crate::http::problem::{self, Problem};
use crate::refusal::Refusal;

/// The headers that operations read. Others are nobody's business here, whatever proxies put into them.
const HEADERS_READ: [&str; 3] = ["Authorization", "If-Match", "Idempotency-Key"];

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request that this task is working on.
#[must_use]
pub fn current_request_id() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// The outermost layer. `request_seconds_max` bounds a whole request.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub request_seconds_max: u64,
}

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EdgeEndpoint { inner, patience: Duration::from_secs(self.request_seconds_max) }
    }
}

/// The endpoint that [`Edge`] makes.
#[derive(Debug)]
pub struct EdgeEndpoint<E> {
    inner: E,
    patience: Duration,
}

impl<E: Endpoint> Endpoint for EdgeEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        // Our own id, never the caller's: it must be safe to write into a log line.
        let id = crate::id::Ids::default().next(crate::clock::Clock::System.now());
        let span = tracing::info_span!("request", id = %id);
        Ok(REQUEST_ID.scope(id.to_string(), self.answer(request, id)).instrument(span).await)
    }
}

impl<E: Endpoint> EdgeEndpoint<E> {
    async fn answer(&self, request: Request, id: Uuid) -> Response {
        let begun = Instant::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let mut response = self.call_within_limits(request).await;
        let route = response.data::<PathPattern>().map_or("none", |pattern| &*pattern.0).to_owned();
        finish_headers(response.headers_mut(), id);
        note(&method, &route, &path, response.status().as_u16(), begun.elapsed());
        response
    }

    async fn call_within_limits(&self, request: Request) -> Response {
        if request.headers().contains_key(CONTENT_ENCODING) {
            let problem = Problem::of(415, "unsupported_media_type", "Send the body uncompressed.");
            return problem.into_response();
        }
        if !is_plain_text(request.uri()) {
            let detail = "The address holds control characters or bytes that are not UTF-8.";
            return Problem::of(400, "malformed_request", detail).into_response();
        }
        if let Some(name) = HEADERS_READ.iter().find(|name| !is_visible(request.headers(), name)) {
            let detail = format!("{name}: visible ASCII characters only.");
            return Problem::of(400, "malformed_request", detail).into_response();
        }
        let answered = catch_panic(self.inner.call(request));
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(Ok(answer))) => answer.into_response(),
            Ok(Ok(Err(error))) => shape(error),
            Ok(Err(())) => {
                Problem::of(500, "internal_error", "Something broke on our side. Tell us the request id.")
                    .into_response()
            }
            Err(_) => Problem::from(Refusal::Busy { retry_after_seconds: 5 }).into_response(),
        }
    }
}

/// Whether path and query, unpacked, are text that may be stored, compared and logged: PostgreSQL fails on a NUL, and
/// what is not UTF-8 would be read as something else than was sent. Bodies are read as strictly in [`super::body`].
fn is_plain_text(uri: &poem::http::Uri) -> bool {
    let text = uri.path_and_query().map_or("", |address| address.as_str());
    let mut parts = text.split('%');
    let mut bytes: Vec<u8> = parts.next().unwrap_or("").bytes().collect();
    for part in parts {
        let packed = part.split_at_checked(2);
        match packed.and_then(|(digits, rest)| Some((u8::from_str_radix(digits, 16).ok()?, rest))) {
            Some((byte, rest)) => {
                bytes.push(byte);
                bytes.extend(rest.bytes());
            }
            None => bytes.extend(part.bytes()),
        }
    }
    String::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control))
}

/// Whether a header is absent or can be read; the framework would take one that cannot be for absent.
fn is_visible(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .all(|value| value.to_str().is_ok_and(|text| !text.contains(char::is_control)))
}

/// A panic is a bug of ours; the caller gets the answer of one and the process goes on.
async fn catch_panic<T>(work: impl Future<Output = T>) -> Result<T, ()> {
    use futures_util::FutureExt;
    std::panic::AssertUnwindSafe(work).catch_unwind().await.map_err(|_| tracing::error!("a handler panicked"))
}

/// Errors below 400 are answers in disguise (a file not modified), and ours already have their shape.
fn shape(error: Error) -> Response {
    if error.is_from_response() || error.status().as_u16() < 400 {
        return error.into_response();
    }
    let data = error.data::<PathPattern>().cloned();
    let mut response = problem::of_framework(&error).into_response();
    if let Some(pattern) = data {
        response.set_data(pattern);
    }
    response
}

fn finish_headers(headers: &mut HeaderMap, id: Uuid) {
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert("x-request-id", id);
    }
}

fn note(method: &Method, route: &str, path: &str, status: u16, took: Duration) {
    let labels =
        [("method", method.to_string()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("zhuxiao_requests_total", &labels).increment(1);
    metrics::histogram!("zhuxiao_request_seconds", "route" => route.to_owned()).record(took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, path, route, status, micros, "answered");
}

/// Bounds bodies. Stands inside decompression, so that what it counts is what we would have to hold.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    pub bytes: usize,
    /// For bodies that are files (`application/octet-stream`).
    pub upload_bytes: usize,
}

impl<E: Endpoint> Middleware<E> for BodyLimit {
    type Output = BodyLimitEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        BodyLimitEndpoint { inner, limit: *self }
    }
}

/// The endpoint that [`BodyLimit`] makes.
#[derive(Debug)]
pub struct BodyLimitEndpoint<E> {
    inner: E,
    limit: BodyLimit,
}

impl<E: Endpoint> Endpoint for BodyLimitEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        let is_upload =
            request.content_type().is_some_and(|kind| kind.starts_with("application/octet-stream"));
        let limit_bytes = if is_upload { self.limit.upload_bytes } else { self.limit.bytes };
        let too_large = || Error::from(Problem::from(Refusal::BodyTooLarge { limit_bytes }));
        let declared = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|bytes| bytes > limit_bytes) {
            return Err(too_large());
        }
        if has_body(&request) {
            let read = request.take_body().into_bytes_limit(limit_bytes).await;
            request.set_body(read.map_err(|_| too_large())?);
        }
        self.inner.call(request).await
    }
}

fn has_body(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}
