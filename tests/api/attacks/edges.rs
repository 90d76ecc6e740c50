//! Attacks on the edges, over HTTP: headers, hosts, origins, methods, addresses, parameters, media types and bodies.

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::cli::openapi::PUBLIC_OPERATIONS;
use zhuxiao::members::access::Role;
use zhuxiao::settings::Settings;

use crate::contract::{contract, operations};
use crate::orders::Market;
use crate::support::{Answer, Person, World};

/// What must stand nowhere in an answer: drivers, SQL, files, types.
const INTERNALS: [&str; 10] =
    ["sqlx", "SQL", "select ", "redis", "broken pipe", "src/", ".rs", "panicked", "/work", "Error("];

#[track_caller]
pub fn names_no_internals(answer: &Answer) {
    for internal in INTERNALS {
        assert!(!answer.text.contains(internal), "{internal} in {}", answer.text);
    }
}

#[tokio::test]
async fn at_s11_an_order_that_says_it_is_plain_text_is_refused() {
    let market = Market::new().await;
    for kind in ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded"] {
        let request = market.world.request(Method::POST, Some(&market.buyer), "/v1/orders");
        let request = request.header("content-type", kind).header("Idempotency-Key", kind.len().to_string());
        let answer = Answer::of(request.body(market.order("1").to_string())).await;
        answer.refused(415, "unsupported_media_type");
    }
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn at_s13_no_other_origin_may_read_an_answer() {
    let world = World::new().await;
    let officer = world.official(Role::Officer).await;
    for origin in ["https://evil.example", "null", "https://trusted.example.evil.com"] {
        for (method, path) in [(Method::GET, "/v1/me"), (Method::OPTIONS, "/v1/me"), (Method::GET, "/docs")] {
            let request = world.request(method, Some(&officer), path).header("Origin", origin);
            let answer = Answer::of(request.header("Access-Control-Request-Method", "GET")).await;
            let told = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(told, None, "{origin} {path}");
        }
    }
}

#[tokio::test]
async fn at_s13_the_origins_of_the_setting_may_read_and_no_others() {
    let listed = "https://office.example";
    let world = World::with(|settings| settings.cors_origins = vec![listed.to_owned()]).await;
    let officer = world.official(Role::Officer).await;
    let asked = |method: Method, origin: &str| {
        let request = world.request(method, Some(&officer), "/v1/me").header("Origin", origin);
        Answer::of(request.header("Access-Control-Request-Method", "GET"))
    };
    let answer = asked(Method::GET, listed).await;
    assert_eq!(answer.header("access-control-allow-origin"), listed);
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    assert!(answer.headers.get_all("vary").iter().any(|value| value == "Origin"));
    assert_eq!(asked(Method::OPTIONS, listed).await.status, StatusCode::NO_CONTENT);
    for other in ["https://evil.example", "null", "https://office.example.evil.com"] {
        assert!(!asked(Method::GET, other).await.headers.contains_key("access-control-allow-origin"));
        asked(Method::OPTIONS, other).await.refused(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn at_j12_nothing_of_the_file_system_is_served() {
    let world = World::new().await;
    for path in [
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/Cargo.toml",
        "/files/..%2fx",
        "/docs/..%2f..%2fCargo.toml",
        "/docs/%2e%2e%2fsrc%2fmain.rs",
    ] {
        let answer = world.get_as(None, path).await;
        answer.refused(404, "not_found");
        names_no_internals(&answer);
        assert!(!answer.text.contains("etc") && !answer.text.contains("Cargo"), "{}", answer.text);
    }
}

#[tokio::test]
async fn at_f10_a_compressed_order_is_refused_before_it_is_unpacked() {
    let market = Market::new().await;
    for coding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
        let request = market.world.request(Method::POST, Some(&market.buyer), "/v1/orders");
        let request = request.header("content-type", "application/json").header("content-encoding", coding);
        let answer = Answer::of(request.header("Idempotency-Key", "k").body(vec![0x1f_u8; 300 << 10])).await;
        answer.refused(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn at_b24_every_operation_that_is_not_published_as_open_refuses_nobody() {
    let world = World::new().await;
    for (method, path, operation) in operations(&contract().await) {
        let id = operation["operationId"].as_str().unwrap();
        let address = filled(&path);
        let method: Method = method.to_uppercase().parse().unwrap();
        let answer = Answer::of(world.request(method, None, &address)).await;
        if PUBLIC_OPERATIONS.contains(&id) {
            assert_ne!(answer.json()["code"], "not_signed_in", "{id}");
        } else {
            answer.refused(401, "not_signed_in");
        }
    }
}

/// A path of the contract with something in every place.
fn filled(path: &str) -> String {
    let id = Uuid::now_v7().to_string();
    let parts = path.split('/').map(|part| match part {
        "{month}" => "2027-02",
        "{year}" => "2027",
        _ if part.starts_with('{') => &id,
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn at_d01_a_page_has_the_published_size_whatever_is_asked_for() {
    let market = Market::new().await;
    for (query, code) in [
        ("limit=100000000", "malformed_request"),
        ("limit=201", "malformed_request"),
        ("limit=0", "malformed_request"),
        ("limit=-1", "invalid_parameter"),
        ("limit=abc", "invalid_parameter"),
        ("page_size=100000000", "malformed_request"),
    ] {
        let answer = market.world.get(&market.buyer, &format!("/v1/lots?{query}")).await;
        answer.refused(400, code);
    }
    let most = market.world.get(&market.buyer, "/v1/lots?limit=200").await;
    assert_eq!(most.status, StatusCode::OK);
    assert!(most.text.len() < 1 << 20);
}

#[tokio::test]
async fn at_d02_there_are_no_pages_by_number() {
    let market = Market::new().await;
    let answer = market.world.get(&market.buyer, "/v1/lots?page=99999999").await;
    assert!(answer.refused(400, "malformed_request")["detail"].as_str().unwrap().starts_with("page: "));
}

#[tokio::test]
async fn at_d02_a_parameter_that_nobody_published_or_that_comes_twice_is_refused_and_named() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for (path, name) in [
        ("/v1/lots?include=household.bank_card", "include"),
        ("/v1/lots?fields=id_number", "fields"),
        ("/v1/households?id_number=341823199001010014", "id_number"),
        ("/v1/households?region[]=341823100000&region[]=341823101000", "region[]"),
        ("/v1/households?region%5B%5D=341823100000", "region[]"),
        ("/v1/households?region=341823100000&region=341823101000", "region"),
        ("/v1/lots?limit=1&limit=1", "limit"),
        ("/v1/lots?limit=1&l%69mit=2", "limit"),
        ("/v1/regions?parent=&admin=true", "admin"),
        ("/v1/public/lots?_=1", "_"),
        ("/v1/me?x", "x"),
    ] {
        let answer = world.get(&officer, path).await;
        let detail = answer.refused(400, "malformed_request")["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(&format!("{name}: ")), "{path}: {detail}");
        assert!(!detail.contains("341823199001010014"));
    }
}

#[tokio::test]
async fn at_d09_arrays_in_arrays_without_end_are_not_json() {
    let market = Market::new().await;
    let body = "[".repeat(200_000) + &"]".repeat(200_000);
    let request = market.world.request(Method::POST, Some(&market.buyer), "/v1/orders").body(body);
    let request = request.header("content-type", "application/json").header("Idempotency-Key", "deep");
    Answer::of(request).await.refused(400, "malformed_request");
    assert_eq!(market.world.get_as(None, "/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn at_m19_an_order_of_a_hundred_thousand_lines_is_refused_unread() {
    let market = Market::new().await;
    let mut order = market.order("1");
    let line = order["lines"][0].clone();
    order["lines"] = Value::Array(vec![line.clone(); 100_000]);
    market.world.post(&market.buyer, "/v1/orders", order.clone()).await.refused(413, "body_too_large");
    order["lines"] = Value::Array(vec![line; 1_001]);
    let begun = std::time::Instant::now();
    let answer = market.world.post(&market.buyer, "/v1/orders", order).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert_eq!(market.stock().await, (0, 0, 0));
}

#[tokio::test]
async fn at_c02_losing_redis_shows_in_no_answer() {
    let world = World::with(|settings| settings.redis_url = Some("redis://127.0.0.1:1".to_owned())).await;
    let world = world.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for path in ["/v1/me", "/v1/regions", "/v1/public/lots", "/v1/reports/coverage?day=2027-03-01", "/readyz"]
    {
        let answer = world.get(&officer, path).await;
        assert!(!answer.status.is_server_error(), "{path}: {}", answer.text);
        names_no_internals(&answer);
    }
    assert_eq!(world.get(&officer, "/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn at_c03_every_answer_tells_browsers_what_they_may_do_with_it() {
    let world = World::new().await.with_regions().await;
    let officer = world.official(Role::Officer).await;
    for path in
        ["/v1/me", "/v1/nowhere", "/v1/lots?x=1", "/v1/public/lots", "/healthz", "/openapi.json", "/docs"]
    {
        let answer = world.get(&officer, path).await;
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!answer.headers.contains_key("strict-transport-security"), "nobody said that there is TLS");
    }
    assert_eq!(world.get(&officer, "/v1/me").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn at_c03_the_page_of_the_contract_runs_its_own_scripts_and_no_others() {
    let world = World::new().await;
    for path in ["/docs", "/docs/"] {
        let answer = world.get_as(None, path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        let policy = answer.header("content-security-policy");
        let scripts = policy.split(';').find(|rule| rule.trim().starts_with("script-src")).unwrap();
        // The library and the lines that start it; whatever else says "<script" stands inside these two.
        assert_eq!(scripts.matches("'sha256-").count(), 2, "{scripts}");
        assert_eq!(answer.text.matches("</script>").count(), 2);
        assert!(!scripts.contains("unsafe") && !scripts.contains("http"), "{scripts}");
    }
}

#[tokio::test]
async fn at_c03_behind_tls_browsers_are_told_never_to_come_without_it() {
    let world = World::with(|settings| settings.behind_tls = true).await;
    for path in ["/v1/me", "/healthz"] {
        let answer = world.get_as(None, path).await;
        let told = answer.header("strict-transport-security");
        let seconds: u64 = told.strip_prefix("max-age=").unwrap().split(';').next().unwrap().parse().unwrap();
        assert!(seconds >= 31_536_000, "{told}");
    }
}

#[tokio::test]
async fn at_c03_signing_out_makes_browsers_forget() {
    let world = World::new().await;
    let officer = world.official(Role::Officer).await;
    let answer = world.delete(&officer, "/v1/sessions/current").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("clear-site-data"), r#""cache", "cookies", "storage""#);
}

#[tokio::test]
async fn at_c04_figures_of_the_process_and_forgotten_files_are_not_public() {
    let world = World::new().await;
    for path in ["/metrics", "/debug/pprof", "/.git/config", "/backup.sql", "/api/v0/lots", "/.env", "/v1"] {
        world.get_as(None, path).await.refused(404, "not_found");
    }
    for published in ["/docs", "/openapi.json"] {
        assert_eq!(world.get_as(None, published).await.status, StatusCode::OK, "{published}");
    }
    assert_eq!(Settings::default().admin_listen, None);
}

#[tokio::test]
async fn at_c05_a_method_that_a_path_has_not_is_refused_with_those_it_has() {
    let world = World::new().await;
    let contract = contract().await;
    let pages =
        ["/healthz", "/readyz", "/docs", "/openapi.json"].map(|page| (page.to_owned(), "GET".to_owned()));
    let published = operations(&contract).into_iter().map(|(method, path, _)| (path, method.to_uppercase()));
    for (path, known) in published.chain(pages) {
        for method in ["TRACE", "PROPFIND", "FOO"] {
            let method: Method = method.parse().unwrap();
            let answer = Answer::of(world.request(method.clone(), None, &filled(&path))).await;
            answer.refused(405, "method_not_allowed");
            let allowed: Vec<&str> = answer.header("allow").split(", ").collect();
            assert!(allowed.contains(&known.as_str()), "{method} {path}: {allowed:?}");
            assert!(!allowed.contains(&method.as_str()));
        }
    }
}

#[tokio::test]
async fn at_c06_a_name_that_is_not_ours_is_refused_and_a_forwarded_one_changes_nothing() {
    let world = World::with(|settings| settings.hosts = vec!["county.example".to_owned()]).await;
    let asked = |host: &str| {
        let request = world.request(Method::GET, None, "/v1/public/lots").header("Host", host);
        Answer::of(request.header("X-Forwarded-Host", "county.example"))
    };
    assert_eq!(asked("county.example").await.status, StatusCode::OK);
    assert_eq!(asked("County.Example:8443").await.status, StatusCode::OK);
    for host in ["evil.example", "county.example.evil.example", "127.0.0.1"] {
        asked(host).await.refused(421, "misdirected_request");
    }
    assert_eq!(world.get_as(None, "/readyz").await.status, StatusCode::OK, "probes come by address");
    let forwarded = world.request(Method::GET, None, "/v1/public/lots").header("Host", "county.example");
    let answer = Answer::of(forwarded.header("X-Forwarded-Host", "evil.example")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.text.contains("evil") && !format!("{:?}", answer.headers).contains("evil"));
}

#[tokio::test]
async fn at_c07_no_answer_says_what_software_wrote_it() {
    let world = World::new().await;
    for path in ["/", "/v1/me", "/healthz", "/docs", "/openapi.json", "/v1/public/lots"] {
        let answer = world.get_as(None, path).await;
        for header in ["server", "x-powered-by", "via", "x-runtime", "x-version"] {
            assert!(!answer.headers.contains_key(header), "{path}: {header}");
        }
        for (name, value) in &answer.headers {
            let told = value.to_str().unwrap().to_ascii_lowercase();
            assert!(!told.contains("poem") && !told.contains("hyper"), "{path}: {name}: {told}");
        }
    }
}

#[tokio::test]
async fn at_s14_an_origin_that_is_no_text_is_no_origin_of_ours() {
    let world =
        World::with(|settings| settings.cors_origins = vec!["https://office.example".to_owned()]).await;
    let officer: Person = world.official(Role::Officer).await;
    let origin =
        (HeaderName::from_static("origin"), HeaderValue::from_bytes(b"\xffhttps://office.example").unwrap());
    let answer =
        Answer::of(world.request(Method::GET, Some(&officer), "/v1/me").header(origin.0, origin.1)).await;
    assert_eq!(answer.ok()["role"], json!("officer"));
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}
