//! The program itself as a process of its own, on the database of a test: for attacks on its memory, its log and its life.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, PASSWORD, Person, World};

/// Tries, 20 ms apart, until the program must have begun to answer.
const TRIES_MAX: u32 = 1_500;

/// A running `zhuxiao serve`, killed when it is dropped.
pub struct Served {
    child: Child,
    pub base: String,
    /// Where it runs: an empty folder but for its log.
    pub folder: PathBuf,
}

impl Served {
    pub async fn start(world: &World) -> Self {
        let folder = std::env::temp_dir().join(format!("zhuxiao-served-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_zhuxiao"))
            .args(["serve", "--no-migrate", "--database-url", world.database_url()])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("ZHUXIAO_KEYS", world.app.settings.keys.as_ref().unwrap())
            // People of tests have no second factor.
            .env("ZHUXIAO_TOTP_REQUIRED", "false")
            // What steers the tests is no setting of the program.
            .env_remove("ZHUXIAO_TEST_DATABASE_URL")
            .env_remove("ZHUXIAO_TEST_REDIS_URL")
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let served = Self { child, base: format!("http://127.0.0.1:{port}"), folder };
        served.answers(world).await;
        served
    }

    async fn answers(&self, world: &World) {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..TRIES_MAX {
            pause.tick().await;
            if world.client.get(format!("{}/readyz", self.base)).send().await.is_ok() {
                return;
            }
        }
        panic!("the program does not answer: {}", self.log());
    }

    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Signs somebody in here, by the clock of this process.
    pub async fn sign_in(&self, world: &World, person: &Person) -> Person {
        let account = world.get(person, "/v1/me").await.ok()["account"].clone();
        let body = json!({ "account": account, "password": PASSWORD });
        let request = world.client.post(format!("{}/v1/sessions", self.base)).json(&body);
        let token = Answer::of(request).await.created()["token"].as_str().unwrap().to_owned();
        Person { token, ..person.clone() }
    }

    pub fn request(&self, world: &World, method: Method, by: &Person, path: &str) -> RequestBuilder {
        world.client.request(method, format!("{}{path}", self.base)).bearer_auth(&by.token)
    }

    /// Sends a file of households.
    pub async fn upload(&self, world: &World, by: &Person, file: Vec<u8>) -> Answer {
        let request = self.request(world, Method::POST, by, "/v1/households/import");
        Answer::of(request.header("content-type", "application/octet-stream").body(file)).await
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// The lines of the log, each read as the JSON object that it is.
    pub fn log_lines(&self) -> Vec<Value> {
        let log = self.log();
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        log.lines().map(read).collect()
    }

    /// Forgets the most memory that the process has had, and answers the kilobytes it has now.
    pub fn begin_watch(&self) -> u64 {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
        self.kilobytes("VmRSS")
    }

    /// The most kilobytes it has had since [`Self::begin_watch`].
    pub fn peak(&self) -> u64 {
        self.kilobytes("VmHWM")
    }

    fn kilobytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
