//! Headers that browsers act on, the same on every answer: what a page may load, who may read it, that it came over TLS;
//! and the two headers of a request that say where it thinks it is going and where it comes from.

use poem::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN, VARY,
};
use poem::http::uri::Authority;
use poem::http::{HeaderMap, Method, StatusCode};
use poem::{Request, Response};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::settings::Settings;

/// On every answer.
const FIXED: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// An answer is data; a page that is more brings a policy of its own.
const POLICY: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'";

/// For one year, the least that browsers' lists take.
const TLS_ONLY: &str = "max-age=31536000";

/// What a page of a listed origin may send and read.
const PREFLIGHT: [(&str, &str); 3] = [
    ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE"),
    ("access-control-allow-headers", "authorization, content-type, if-match, idempotency-key"),
    ("access-control-max-age", "600"),
];
const READABLE: &str = "etag, idempotency-replayed, link, location, retry-after, x-request-id";

/// What the settings say about headers.
#[derive(Clone, Debug, Default)]
pub struct HeaderRules {
    /// The names we are called by, in lower case; none means any.
    pub hosts: Vec<String>,
    /// Origins whose pages may read our answers.
    pub cors_origins: Vec<String>,
    pub is_behind_tls: bool,
}

impl From<&Settings> for HeaderRules {
    fn from(settings: &Settings) -> Self {
        Self {
            hosts: settings.hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            cors_origins: settings.cors_origins.clone(),
            is_behind_tls: settings.behind_tls,
        }
    }
}

impl HeaderRules {
    /// Whether a request names us. Probes of a load balancer come by address and learn nothing.
    #[must_use]
    pub fn is_for_us(&self, request: &Request) -> bool {
        if self.hosts.is_empty() || matches!(request.uri().path(), "/healthz" | "/readyz") {
            return true;
        }
        let mut named = request.headers().get_all(HOST).iter();
        let header = named.next().and_then(|host| host.to_str().ok());
        let in_address = request.uri().authority().map(Authority::as_str);
        header.is_some_and(|host| self.knows(host))
            && named.next().is_none()
            && in_address.is_none_or(|host| self.knows(host))
    }

    fn knows(&self, host: &str) -> bool {
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let name = match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => host,
        };
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The origin of a request if its pages may read the answer. Compared byte by byte: an origin need not be text.
    #[must_use]
    pub fn listed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let is_listed = self.cors_origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes());
        is_listed.then(|| origin.clone())
    }

    /// The answer to a browser that asks whether a page of a listed origin may send something; `None` when it does not.
    #[must_use]
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = *request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.listed_origin(request.headers()).is_none() {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        for (name, value) in PREFLIGHT {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }

    /// Puts onto an answer what belongs on every one. `origin` is the request's, if listed.
    pub fn finish(&self, headers: &mut HeaderMap, id: Uuid, origin: Option<HeaderValue>) {
        for (name, value) in FIXED {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        if is_page(headers) {
            headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        }
        if self.is_behind_tls {
            headers.insert("strict-transport-security", HeaderValue::from_static(TLS_ONLY));
        }
        if !self.cors_origins.is_empty() {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READABLE));
        }
        if let Ok(id) = HeaderValue::try_from(id.to_string()) {
            headers.insert("x-request-id", id);
        }
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// The policy of a page with scripts inside it: those run and no other. Its styles may stand on elements, as the page of
/// the contract sets them there, and what it fetches is ours.
#[must_use]
pub fn policy_of_page(html: &str) -> String {
    let mut scripts = Vec::new();
    let mut rest = html;
    while let Some((_, behind)) = rest.split_once("<script") {
        let Some((_, behind)) = behind.split_once('>') else { break };
        let Some((script, behind)) = behind.split_once("</script>") else { break };
        // Browsers read the text with the line ends of Unix.
        let script = script.replace("\r\n", "\n").replace('\r', "\n");
        scripts.push(format!("'sha256-{}'", base64(&Sha256::digest(script.as_bytes()))));
        rest = behind;
    }
    let scripts = scripts.join(" ");
    format!(
        "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; \
         connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
    )
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> HeaderRules {
        HeaderRules {
            hosts: vec!["county.example".to_owned()],
            cors_origins: vec!["https://office.example".to_owned()],
            is_behind_tls: false,
        }
    }

    #[test]
    fn a_request_that_names_somebody_else_in_any_way_is_not_for_us() {
        let asked = |uri: &str, hosts: &[&str]| {
            let mut request = Request::builder().uri(uri.parse().unwrap()).finish();
            for host in hosts {
                request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
            }
            rules().is_for_us(&request)
        };
        for host in ["county.example", "COUNTY.example", "county.example:8443"] {
            assert!(asked("/v1/lots", &[host]), "{host}");
        }
        for host in ["evil.example", "county.example.evil.example", "county.example:", "county.example:x", ""]
        {
            assert!(!asked("/v1/lots", &[host]), "{host}");
        }
        assert!(!asked("/v1/lots", &[]));
        assert!(!asked("/v1/lots", &["county.example", "evil.example"]));
        assert!(!asked("http://evil.example/v1/lots", &["county.example"]));
        assert!(asked("/healthz", &["10.0.0.7"]));
    }

    #[test]
    fn only_an_origin_that_is_listed_letter_by_letter_may_read() {
        let listed = |origin: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_bytes(origin).unwrap());
            rules().listed_origin(&headers).is_some()
        };
        assert!(listed(b"https://office.example"));
        for origin in [
            &b"https://office.example.evil.example"[..],
            b"http://office.example",
            b"https://office.example/",
            b"HTTPS://OFFICE.EXAMPLE",
            b"null",
            b"\xff",
        ] {
            assert!(!listed(origin), "{origin:?}");
        }
    }

    #[test]
    fn the_policy_of_a_page_names_each_of_its_scripts() {
        let policy = policy_of_page("<p><script>a</script><script charset=\"UTF-8\">b\r\nc</script>");
        let digests: Vec<&str> = policy.split("'sha256-").skip(1).collect();
        assert_eq!(digests.len(), 2, "{policy}");
        assert!(digests[0].starts_with(&base64(&Sha256::digest("a"))), "{policy}");
        assert!(digests[1].starts_with(&base64(&Sha256::digest("b\nc"))), "{policy}");
    }
}
