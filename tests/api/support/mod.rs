//! A running service with a database of its own and a clock that tests move, and the people who call it.

pub mod builders;
pub mod databases;
pub mod purse;
pub mod sms;

pub use builders::VILLAGES;

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use uuid::Uuid;
use zhuxiao::app::App;
use zhuxiao::cli::serve::serve_on;
use zhuxiao::clock::Clock;
use zhuxiao::db::Db;
use zhuxiao::id::Ids;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::{self, NewPrincipal, Place};
use zhuxiao::settings::Settings;
use zhuxiao::trail::Actor;

/// The county all tests play in.
pub const COUNTY: &str = "341823";
pub const PASSWORD: &str = "a password for tests";

/// A running service.
pub struct World {
    pub app: App,
    pub clock: Clock,
    pub client: Client,
    pub base: String,
    database: databases::TestDatabase,
    stop: Option<oneshot::Sender<()>>,
}

/// An HTTP answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

/// Somebody signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub token: String,
    pub role: Role,
}

impl World {
    /// A service at 2027-03-01 08:00 in Shanghai with an empty, migrated database.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::made(change, |_| {}).await
    }

    /// The same with other settings, and with parts of the service put in place of those it makes itself.
    pub async fn made(change: impl FnOnce(&mut Settings), replace: impl FnOnce(&mut App)) -> Self {
        let database = databases::TestDatabase::create().await;
        let mut settings = Settings {
            database_url: database.url.clone(),
            redis_url: std::env::var("ZHUXIAO_TEST_REDIS_URL").ok(),
            keys: Some(database.keys.clone()),
            password_hash_kib: 1_024,
            password_hashes_parallel: 2,
            sweep_seconds: 3_600,
            // Most tests let days pass between two requests of somebody.
            session_idle_minutes: 43_200,
            totp_required: false,
            sign_in_peer_tries_max: 1_000,
            // The clock of a test stands still, so what one person may send would never grow again.
            requests_per_second_max: 1_000_000,
            webhook_seconds: 3_600,
            escrow_account: Some("0000000000000000042".to_owned()),
            escrow_account_name: Some("示范县助销专户".to_owned()),
            escrow_account_bank: Some("示范银行".to_owned()),
            ..Settings::default()
        };
        change(&mut settings);
        let start: DateTime<Utc> = "2027-03-01T00:00:00Z".parse().unwrap();
        let clock = Clock::manual(start);
        let mut app = App::open(settings, clock.clone(), Ids::default()).await.unwrap();
        replace(&mut app);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = app.clone();
        tokio::spawn(async move {
            let _ = serve_on(listener, served, async { drop(stopped.await) }).await;
        });
        Self { app, clock, client: Client::new(), base, database, stop: Some(stop) }
    }

    /// The address of the database, for tests that look below the API.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Makes somebody of a role in a place and signs them in over HTTP.
    pub async fn person(&self, role: Role, place: Place) -> Person {
        let account = format!("{}-{}", role.as_str(), Uuid::now_v7().simple());
        let new = NewPrincipal {
            account: account.clone(),
            password: Some(PASSWORD.to_owned()),
            phone: None,
            display_name: format!("Test {}", role.as_str()),
            role,
            place,
            county_code: Some(COUNTY.to_owned()),
        };
        let id = principals::create(&self.app, &Actor::service("test"), new).await.unwrap();
        let answer =
            self.post_as(None, "/v1/sessions", json!({ "account": account, "password": PASSWORD })).await;
        let token = answer.created()["token"].as_str().unwrap().to_owned();
        Person { id, token, role }
    }

    /// Somebody who signs in with one-time codes alone.
    pub async fn person_with_phone(&self, role: Role, place: Place, phone: &str) -> Uuid {
        let new = NewPrincipal {
            account: format!("{}-{}", role.as_str(), Uuid::now_v7().simple()),
            password: None,
            phone: Some(phone.to_owned()),
            display_name: format!("Test {}", role.as_str()),
            role,
            place,
            county_code: Some(COUNTY.to_owned()),
        };
        principals::create(&self.app, &Actor::service("test"), new).await.unwrap()
    }

    /// What somebody signs in with by name.
    pub async fn account_of(&self, person: &Person) -> String {
        self.get(person, "/v1/me").await.ok()["account"].as_str().unwrap().to_owned()
    }

    /// A sign-in with account and password, through proxies that say where it came from.
    pub async fn sign_in(&self, account: &str, password: &str, forwarded: Option<&str>) -> Answer {
        let body = json!({ "account": account, "password": password });
        let request = self.request(Method::POST, None, "/v1/sessions").json(&body);
        Answer::of(match forwarded {
            Some(peer) => request.header("X-Forwarded-For", peer),
            None => request,
        })
        .await
    }

    /// A sign-in with a phone and a one-time code.
    pub async fn sign_in_by_code(&self, phone: &str, code: &str) -> Answer {
        self.post_as(None, "/v1/sessions", json!({ "phone": phone, "code": code })).await
    }

    /// An officer, finance, auditor or admin of the whole county.
    pub async fn official(&self, role: Role) -> Person {
        self.person(role, Place::Region("341823000000".to_owned())).await
    }

    /// A request by somebody or nobody.
    pub fn request(&self, method: Method, by: Option<&Person>, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match by {
            Some(person) => request.bearer_auth(&person.token),
            None => request,
        }
    }

    pub async fn get(&self, by: &Person, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, Some(by), path)).await
    }

    pub async fn get_as(&self, by: Option<&Person>, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, by, path)).await
    }

    /// A POST with a fresh Idempotency-Key.
    pub async fn post(&self, by: &Person, path: &str, body: Value) -> Answer {
        self.post_as(Some(by), path, body).await
    }

    pub async fn post_as(&self, by: Option<&Person>, path: &str, body: Value) -> Answer {
        self.post_with_key(by, path, body, &Uuid::now_v7().to_string()).await
    }

    pub async fn post_with_key(&self, by: Option<&Person>, path: &str, body: Value, key: &str) -> Answer {
        Answer::of(self.request(Method::POST, by, path).header("Idempotency-Key", key).json(&body)).await
    }

    pub async fn patch(&self, by: &Person, path: &str, etag: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, Some(by), path).header("If-Match", etag).json(&body)).await
    }

    pub async fn put(&self, by: &Person, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, Some(by), path).json(&body)).await
    }

    pub async fn delete(&self, by: &Person, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, Some(by), path)).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    pub fn created(&self) -> Value {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.text);
        self.json()
    }

    /// The answer is a problem of this status and code, in the one shape all problems have.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let kind = self.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("");
        assert_eq!((self.status.as_u16(), kind), (status, "application/problem+json"), "{}", self.text);
        let body = self.json();
        assert_eq!(body["code"], code, "{}", self.text);
        assert_eq!(body["status"], status);
        body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().unwrap()
    }
}

/// Opens a second service on the same database, as another process would.
pub async fn second_process(world: &World) -> App {
    let settings = (*world.app.settings).clone();
    App::open(settings, world.clock.clone(), Ids::default()).await.unwrap()
}

/// A database that is migrated and belongs to nobody else.
pub async fn migrated(url: &str) {
    Db::migrate(url).await.unwrap();
}
