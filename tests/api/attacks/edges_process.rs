//! Attacks on the program itself, as a process of its own: what it says in its log and its figures, and what it does when
//! file descriptors or memory are short.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::support::{Answer, PASSWORD, World};

const START_MAX: Duration = Duration::from_mins(1);

/// `zhuxiao serve` on the database of a world, with its log in a file.
struct Process {
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    log: PathBuf,
    client: reqwest::Client,
}

/// A port that is free now.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Process {
    async fn start(world: &World, before: &str) -> Self {
        let (address, admin) = (free(), free());
        let log = std::env::temp_dir().join(format!("zhuxiao-test-{}.log", Uuid::now_v7().simple()));
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("{before} exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_zhuxiao"));
        command.args(["serve", "--listen", &address.to_string(), "--database-url", world.database_url()]);
        command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL");
        command.env("ZHUXIAO_KEYS", world.app.settings.keys.as_ref().unwrap());
        command.env("ZHUXIAO_ADMIN_LISTEN", admin.to_string()).env("ZHUXIAO_LOG", "debug");
        command.env("ZHUXIAO_PASSWORD_HASH_KIB", "1024").env("ZHUXIAO_TOTP_REQUIRED", "false");
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let child = command.spawn().unwrap();
        let process = Self { child, address, admin, log, client: reqwest::Client::new() };
        let begun = Instant::now();
        while !process.is_ready().await {
            assert!(begun.elapsed() < START_MAX, "{}", std::fs::read_to_string(&process.log).unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    async fn is_ready(&self) -> bool {
        let asked = self.client.get(format!("http://{}/readyz", self.address)).send().await;
        asked.is_ok_and(|answer| answer.status() == 200)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ticks of processor time that it has used, a hundred to the second.
    fn ticks(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// KiB that it has in memory.
    fn resident_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

#[tokio::test]
async fn at_d10_bodies_far_over_the_limit_cost_no_memory() {
    let world = World::new().await;
    let process = Process::start(&world, "").await;
    let before = process.resident_kib();
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let address = process.address;
        sending.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = "POST /v1/orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        content-length: 52428800\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            // Whoever sends on regardless is not listened to.
            let piece = vec![b'['; 1 << 20];
            for _ in 0..50 {
                if stream.write_all(&piece).await.is_err() {
                    break;
                }
            }
            String::from_utf8_lossy(&answer).into_owned()
        });
    }
    for answer in sending.join_all().await {
        assert_eq!(answer, "HTTP/1.1 413");
    }
    let grown = process.resident_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more");
    assert!(process.is_ready().await);
}

#[tokio::test]
async fn at_d13_without_file_descriptors_it_neither_spins_nor_forgets_its_clients() {
    let world = World::new().await;
    let process = Process::start(&world, "ulimit -n 256;").await;
    let mut client = TcpStream::connect(process.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut buffer = [0; 4096];
    client.write_all(request).await.unwrap();
    assert!(client.read(&mut buffer).await.unwrap() > 0);
    let mut idle = Vec::new();
    for _ in 0..400 {
        idle.push(TcpStream::connect(process.address).await.unwrap());
    }
    let (before, begun) = (process.ticks(), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ticks = process.ticks() - before;
    let allowed = begun.elapsed().as_millis() / 10 / 5;
    assert!(u128::from(ticks) < allowed, "{ticks} ticks of {allowed}");
    client.write_all(request).await.unwrap();
    assert!(client.read(&mut buffer).await.unwrap() > 0, "who was there before is served");
    drop(idle);
    let begun = Instant::now();
    while !process.is_ready().await {
        assert!(begun.elapsed() < Duration::from_secs(5), "it does not recover");
    }
}

#[tokio::test]
async fn at_c06_names_and_origins_are_lists_in_the_environment_and_bad_ones_stop_the_start() {
    let world = World::new().await;
    let before = "export ZHUXIAO_HOSTS=county.example,other.example ZHUXIAO_CORS_ORIGINS=https://a.example;";
    let process = Process::start(&world, before).await;
    for (host, status) in [("county.example", 200), ("other.example", 200), ("evil.example", 421)] {
        let asked = process.client.get(process.url("/v1/public/lots")).header("Host", host);
        assert_eq!(Answer::of(asked).await.status.as_u16(), status, "{host}");
    }
    for (variable, value) in [
        ("ZHUXIAO_CORS_ORIGINS", "*"),
        ("ZHUXIAO_CORS_ORIGINS", "https://a.example/"),
        ("ZHUXIAO_CORS_ORIGINS", "null"),
        ("ZHUXIAO_HOSTS", "county.example:8443"),
        ("ZHUXIAO_HEAD_SECONDS_MAX", "0"),
        ("ZHUXIAO_REQUESTS_MAX", "1"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", world.database_url()]);
        command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL");
        let ended = command.env(variable, value).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{variable}={value}: {told}");
        let name = variable.strip_prefix("ZHUXIAO_").unwrap().to_lowercase();
        assert!(told.contains(&name), "{variable}={value}: {told}");
    }
}

#[tokio::test]
async fn told_to_stop_it_closes_what_is_idle_and_ends_well() {
    let world = World::new().await;
    let mut process = Process::start(&world, "").await;
    let _silent = TcpStream::connect(process.address).await.unwrap();
    let mut kept = TcpStream::connect(process.address).await.unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4096];
    assert!(kept.read(&mut buffer).await.unwrap() > 0);
    let stopped = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let begun = Instant::now();
    let ended = loop {
        if let Some(ended) = process.child.try_wait().unwrap() {
            break ended;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it does not stop");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(ended.code(), Some(0));
    assert_eq!(kept.read(&mut buffer).await.unwrap(), 0);
}

/// What must never be written anywhere but where it is sealed: made up, and unlike anything else in a log.
const ID_NUMBER: &str = "341823199001010014";
const PHONE: &str = "13900007654";
const CARD: &str = "6222020000000987654";
const WRONG_PASSWORD: &str = "kaiserslautern-7421";

#[tokio::test]
async fn at_p03_neither_the_log_nor_the_figures_hold_numbers_of_people_passwords_or_tokens() {
    let world = World::new().await.with_regions().await;
    let process = Process::start(&world, "").await;
    create_officer(&world, "p03-officer");
    let post = |path: &str, token: &str, body: serde_json::Value| {
        let request = process.client.post(process.url(path)).bearer_auth(token).json(&body);
        Answer::of(request.header("Idempotency-Key", Uuid::now_v7().to_string()))
    };
    let signed = post("/v1/sessions", "none", json!({"account": "p03-officer", "password": PASSWORD})).await;
    let token = signed.created()["token"].as_str().unwrap().to_owned();
    let wrong = json!({"account": "p03-officer", "password": WRONG_PASSWORD});
    post("/v1/sessions", "none", wrong).await.refused(401, "sign_in_failed");
    let household = json!({
        "village": "341823100001", "head_name": "示范户", "status": "registered", "phone": PHONE, "bank_account": CARD,
    });
    post("/v1/households", &token, household).await.created();
    // The same again where none of it belongs: wrong members, wrong types, parameters, paths, methods, headers, bodies
    // that are no JSON, and accounts that people typed their password into.
    let strange = json!({"village": ID_NUMBER, "head_name": PHONE, "status": CARD, "phone": ID_NUMBER, "id": ID_NUMBER});
    post("/v1/households", &token, strange).await;
    post("/v1/sessions", &token, json!({"account": WRONG_PASSWORD, "password": ID_NUMBER})).await;
    for path in [
        format!("/v1/households?id_number={ID_NUMBER}&phone={PHONE}"),
        format!("/v1/households/{ID_NUMBER}"),
        format!("/v1/regions/{PHONE}"),
        format!("/{CARD}/{token}"),
        format!("/v1/public/lots?token={token}"),
        format!("/v1/lots?cursor={CARD}"),
    ] {
        Answer::of(process.client.get(process.url(&path)).bearer_auth(&token)).await;
    }
    let method = reqwest::Method::from_bytes(format!("X{PHONE}").as_bytes()).unwrap();
    Answer::of(process.client.request(method, process.url("/v1/lots"))).await;
    let broken = process.client.post(process.url("/v1/households")).bearer_auth(&token);
    let broken = broken.header("content-type", "application/json").header("x-request-id", ID_NUMBER);
    Answer::of(broken.body(format!("{{\"phone\": \"{PHONE}\" {CARD}")))
        .await
        .refused(400, "malformed_request");
    Answer::of(process.client.get(process.url("/v1/me")).bearer_auth(ID_NUMBER))
        .await
        .refused(401, "not_signed_in");
    let figures = process.client.get(format!("http://{}/metrics", process.admin)).send().await.unwrap();
    let figures = figures.text().await.unwrap();
    assert!(figures.contains("zhuxiao_requests_total"), "{figures}");
    let log = std::fs::read_to_string(&process.log).unwrap();
    assert!(log.lines().filter(|line| line.contains("answered")).count() > 12, "the log is written");
    for secret in [ID_NUMBER, PHONE, CARD, WRONG_PASSWORD, PASSWORD, &token] {
        for (place, text) in [("log", &log), ("figures", &figures)] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the {place}");
        }
    }
}

/// Somebody who signs in, made with the program.
fn create_officer(world: &World, account: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
    command.args(["admin", "create", "--account", account, "--name", "示范工作人员", "--role", "officer"]);
    command.args(["--region", "341823", "--database-url", world.database_url()]);
    command.env_remove("ZHUXIAO_TEST_DATABASE_URL").env_remove("ZHUXIAO_TEST_REDIS_URL");
    command.env("ZHUXIAO_PASSWORD_HASH_KIB", "1024");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
