//! What every request passes on its way in and every answer on its way out: request id, log line, metrics, what is
//! refused unread, and one shape for errors of the framework. Knows no slice.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poem::http::header::{ALLOW, CONNECTION, CONTENT_ENCODING, HeaderValue, TRANSFER_ENCODING};
use poem::http::{HeaderMap, Method, StatusCode};
use poem::{Endpoint, Error, IntoResponse, Middleware, PathPattern, Request, Response, Result};
use tracing::Instrument;
use uuid::Uuid;

use crate::http::headers::HeaderRules;
use crate::http::problem::{self, Problem};
use crate::http::published::Published;

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

/// Methods of the pages that are not in the contract.
const METHODS_OF_PAGES: &str = "GET, HEAD";

/// The methods that anything here has. Others are counted as one, as a caller may make up any number of them.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// The outermost layer.
#[derive(Clone, Debug)]
pub struct Edge {
    pub rules: HeaderRules,
    pub published: Arc<Published>,
}

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EdgeEndpoint { inner, edge: self.clone() }
    }
}

/// The endpoint that [`Edge`] makes.
#[derive(Debug)]
pub struct EdgeEndpoint<E> {
    inner: E,
    edge: Edge,
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
        let rules = &self.edge.rules;
        let origin = rules.listed_origin(request.headers());
        // A proxy before us may have measured such a body in another way: nothing behind it is read as a request.
        let is_last = request.headers().contains_key(TRANSFER_ENCODING);
        let mut response = match rules.preflight(&request) {
            Some(response) => response,
            None => self.call_unless_refused(request).await,
        };
        let route = response.data::<PathPattern>().map(|pattern| pattern.0.to_string());
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            let methods = self.edge.published.methods(&path);
            let methods = methods.and_then(|methods| HeaderValue::try_from(methods).ok());
            let methods = methods.unwrap_or(HeaderValue::from_static(METHODS_OF_PAGES));
            response.headers_mut().insert(ALLOW, methods);
        }
        if is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        rules.finish(response.headers_mut(), id, origin);
        note(&method, route.as_deref(), &path, response.status().as_u16(), begun.elapsed());
        response
    }

    async fn call_unless_refused(&self, request: Request) -> Response {
        if let Some(refused) = self.refuse_unread(&request) {
            return refused;
        }
        match catch_panic(self.inner.call(request)).await {
            Ok(Ok(answer)) => answer.into_response(),
            Ok(Err(error)) => shape(error),
            Err(()) => {
                Problem::of(500, "internal_error", "Something broke on our side. Tell us the request id.")
                    .into_response()
            }
        }
    }

    fn refuse_unread(&self, request: &Request) -> Option<Response> {
        let refuse = |problem: Problem| Some(problem.into_response());
        if *request.method() == Method::CONNECT {
            return refuse(Problem::of(405, "method_not_allowed", "This is no proxy."));
        }
        if !self.edge.rules.is_for_us(request) {
            let detail = "This service does not have that name.";
            return Some(problem::unlisted(421, "misdirected_request", detail));
        }
        if request.headers().contains_key(CONTENT_ENCODING) {
            return refuse(Problem::of(415, "unsupported_media_type", "Send the body uncompressed."));
        }
        if !is_plain_text(request.uri()) {
            let detail = "The address holds control characters or bytes that are not UTF-8.";
            return refuse(Problem::of(400, "malformed_request", detail));
        }
        let name = HEADERS_READ.iter().find(|name| !is_visible(request.headers(), name))?;
        refuse(Problem::of(400, "malformed_request", format!("{name}: visible ASCII characters only.")))
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

fn note(method: &Method, route: Option<&str>, path: &str, status: u16, took: Duration) {
    let method = if METHODS.contains(method) { method.as_str() } else { "other" };
    let shown = route.map(|route| shown_path(route, path)).unwrap_or_default();
    let route = route.unwrap_or("none");
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!("zhuxiao_requests_total", &labels).increment(1);
    metrics::histogram!("zhuxiao_request_seconds", "route" => route.to_owned()).record(took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(method, path = shown, route, status, micros, "answered");
}

/// A path as the log may hold it: the words of its route, and of what callers put in their places only ids and what is
/// too short for a number of a person. Somebody will send an identity number where an id belongs.
fn shown_path(route: &str, path: &str) -> String {
    let is_harmless = |part: &str| Uuid::try_parse(part).is_ok() || part.len() <= 7;
    let known = route.split('/').chain(std::iter::repeat(":"));
    let parts = path.split('/').zip(known).map(
        |(part, known)| {
            if part == known || is_harmless(part) { part } else { "…" }
        },
    );
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_holds_no_number_that_a_caller_put_where_an_id_belongs() {
        let route = "/v1/households/:id/statuses";
        let shown = |part: &str| shown_path(route, &format!("/v1/households/{part}/statuses"));
        assert_eq!(shown("341823199001010014"), "/v1/households/…/statuses");
        assert_eq!(shown("13900001111"), "/v1/households/…/statuses");
        let id = "0193a5b0-c000-7000-8000-00000000000f";
        assert_eq!(shown(id), format!("/v1/households/{id}/statuses"));
        assert_eq!(shown_path("/", "/341823199001010014/x"), "/…/x");
    }
}
