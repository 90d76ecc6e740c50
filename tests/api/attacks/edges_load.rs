//! Attacks by number, and faults: more requests than there is room for, more than one person may send, and operations
//! that break.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response, Route};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tracing_subscriber::fmt::MakeWriter;
use zhuxiao::http::edge::Edge;
use zhuxiao::http::gate::Gate;
use zhuxiao::http::headers::HeaderRules;
use zhuxiao::http::intake::Intake;
use zhuxiao::http::published::Published;
use zhuxiao::http::server::{Limits, Patience, serve};
use zhuxiao::members::access::Role;
use zhuxiao::settings::Settings;

use super::edges::names_no_internals;
use crate::support::{Answer, World};

/// A part of the contract, for operations that tests put in the place of ours.
const DOCUMENT: &str = r#"{"paths": {
    "/v1/lots": {"get": {}},
    "/v1/payments": {"post": {"parameters": [{"in": "header", "name": "Idempotency-Key"}]}}
}}"#;

/// Serves one endpoint behind the layers that every operation stands behind; answers its address.
async fn served(endpoint: impl Endpoint + 'static, requests_max: usize) -> String {
    let published = Arc::new(Published::read(DOCUMENT).unwrap());
    let gate = Gate::new(Arc::clone(&published), requests_max, Duration::from_mins(1));
    let edge = Edge { rules: HeaderRules::default(), published };
    let endpoint = Route::new().nest("/", endpoint).with(gate).with(edge).boxed();
    let minute = Duration::from_mins(1);
    let patience = Patience { idle: minute, head: minute, stall: minute };
    let limits = Limits { connections: 100, patience, finish: minute };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, limits, endpoint, std::future::pending()));
    base
}

/// Works on a request until it is told that it is done.
#[derive(Clone, Default)]
struct Working {
    begun: Arc<Notify>,
    done: Arc<Notify>,
}

impl Endpoint for Working {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        self.begun.notify_one();
        self.done.notified().await;
        Ok("done".into_response())
    }
}

#[tokio::test]
async fn at_d06_what_there_is_no_room_for_is_turned_away_at_once_and_money_comes_through() {
    let working = Working::default();
    let base = served(working.clone(), 8).await;
    let client = reqwest::Client::new();
    let asked = |method: Method, path: &str| {
        let (client, address) = (client.clone(), format!("{base}{path}"));
        async move { Answer::of(client.request(method, address)).await }
    };
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..6 {
        under_way.spawn(asked(Method::GET, "/v1/lots"));
        working.begun.notified().await;
    }
    // Two of eight places are kept for money: six pages fill what pages may have.
    for _ in 0..50 {
        let refused = asked(Method::GET, "/v1/lots").await;
        refused.refused(503, "busy");
        assert_eq!(refused.header("retry-after"), "1");
    }
    for _ in 0..2 {
        under_way.spawn(asked(Method::POST, "/v1/payments"));
        working.begun.notified().await;
    }
    asked(Method::POST, "/v1/payments").await.refused(503, "busy");
    // As soon as it is over there is room again.
    for _ in 0..8 {
        working.done.notify_one();
        assert_eq!(under_way.join_next().await.unwrap().unwrap().status, StatusCode::OK);
    }
    working.done.notify_one();
    assert_eq!(asked(Method::GET, "/v1/lots").await.status, StatusCode::OK);
}

#[tokio::test]
async fn at_d10_only_so_many_files_are_taken_in_at_once() {
    let working = Working::default();
    let intake = Intake::new(100, 1_000, Duration::from_mins(1));
    let base = served(working.clone().with(intake), 8).await;
    let client = reqwest::Client::new();
    let sent = |kind: &'static str| {
        let request = client.post(format!("{base}/upload")).header("content-type", kind).body("a");
        async move { Answer::of(request).await }
    };
    let mut under_way = tokio::task::JoinSet::new();
    for _ in 0..16 {
        under_way.spawn(sent("application/octet-stream"));
        working.begun.notified().await;
    }
    sent("application/octet-stream").await.refused(503, "busy");
    under_way.spawn(sent("application/json"));
    working.begun.notified().await;
    for _ in 0..17 {
        working.done.notify_one();
        assert_eq!(under_way.join_next().await.unwrap().unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn at_d07_one_person_in_a_hurry_is_slowed_down_and_nobody_else() {
    let world = World::with(|settings| settings.requests_per_second_max = 5).await;
    let (hasty, other) = (world.official(Role::Officer).await, world.official(Role::Officer).await);
    let mut allowed = 0;
    for _ in 0..200 {
        let answer = world.get(&hasty, "/v1/lots").await;
        if answer.status == StatusCode::OK {
            allowed += 1;
        } else {
            answer.refused(429, "too_many_requests");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
    // The clock of a test stands still: the burst is all there is.
    assert_eq!(allowed, 10);
    assert_eq!(world.get(&other, "/v1/lots").await.status, StatusCode::OK);
    assert_eq!(world.get_as(None, "/v1/public/lots").await.status, StatusCode::OK);
    world.clock.advance(TimeDelta::seconds(1));
    for _ in 0..5 {
        assert_eq!(world.get(&hasty, "/v1/lots").await.status, StatusCode::OK);
    }
    world.get(&hasty, "/v1/lots").await.refused(429, "too_many_requests");
    assert_eq!(Settings::default().requests_per_second_max, 50);
}

/// The log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// Collects the lines of this thread for as long as the guard lives.
    fn collect() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(lines.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The errors among them, with the request they happened in.
    fn errors(&self) -> Vec<(String, String)> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let errors = lines.filter(|line| line["level"] == "ERROR");
        errors.map(|line| (line["span"]["id"].as_str().unwrap().to_owned(), line.to_string())).collect()
    }
}

#[tokio::test]
async fn at_c01_a_query_that_fails_tells_the_caller_a_request_id_and_the_log_why() {
    let (lines, _guard) = Lines::collect();
    let world = World::new().await;
    let officer = world.official(Role::Officer).await;
    world.execute("alter table lot rename to lot_mislaid", vec![]).await;
    let answer = world.get(&officer, "/v1/lots").await;
    let problem = answer.refused(500, "internal_error");
    names_no_internals(&answer);
    assert!(!answer.text.contains("lot_mislaid") && !answer.text.contains("table"), "{}", answer.text);
    let errors = lines.errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].0, problem["request_id"].as_str().unwrap());
    assert_eq!(errors[0].0, answer.header("x-request-id"));
    assert!(errors[0].1.contains("lot"), "the cause is in the log: {}", errors[0].1);
    assert_eq!(world.get(&officer, "/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn at_c01_a_panic_tells_the_caller_a_request_id_and_the_service_goes_on() {
    let (lines, _guard) = Lines::collect();
    let panicking = poem::endpoint::make_sync(|request: Request| -> Response {
        panic!("select * from secret at {}", request.uri())
    });
    let base = served(panicking, 8).await;
    for round in 1..=2 {
        let request = reqwest::Client::new().post(format!("{base}/v1/payments"));
        let answer = Answer::of(request).await;
        let problem = answer.refused(500, "internal_error");
        names_no_internals(&answer);
        let errors = lines.errors();
        assert_eq!(errors.len(), round, "{errors:?}");
        assert_eq!(errors[round - 1].0, problem["request_id"].as_str().unwrap());
    }
}
