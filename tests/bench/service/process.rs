//! The service as a process of its own, the binary that this build made, with the settings it has by default.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::engine::Engine;

/// How long a start may take.
const START_MAX: Duration = Duration::from_mins(1);

/// A running service; it ends with this value.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to its first answer that it is ready.
    pub ready_after: Duration,
}

impl Service {
    pub fn start(engine: &Engine) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_zhuxiao"));
        command.args(["serve", "--listen", &address.to_string(), "--database-url", &engine.url]);
        if let Some(url) = &engine.redis_url {
            command.args(["--redis-url", url]);
        }
        if let Some(file) = &engine.keys {
            command.env("ZHUXIAO_KEYS", file);
        }
        // A run may be longer than a hold by default is, and a load is more than one person may send.
        command.env("ZHUXIAO_HOLD_MINUTES", "1440").env("ZHUXIAO_REQUESTS_PER_SECOND_MAX", "1000000");
        command.env("ZHUXIAO_TOTP_REQUIRED", "false").stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn().unwrap();
        let mut service = Self { child, address, ready_after: Duration::ZERO };
        while !service.is_ready() {
            assert!(begun.elapsed() < START_MAX, "the service does not become ready");
            std::thread::sleep(Duration::from_millis(1));
        }
        service.ready_after = begun.elapsed();
        service
    }

    fn is_ready(&self) -> bool {
        let client = Client::open(self.address, None);
        client.is_ok_and(|mut client| client.get("/readyz").is_ok_and(|answer| answer.status == 200))
    }

    /// What the process has in memory now.
    pub fn resident_mib(&self) -> u64 {
        self.memory_mib("VmRSS:")
    }

    /// The most it has had in memory since it started.
    pub fn most_resident_mib(&self) -> u64 {
        self.memory_mib("VmHWM:")
    }

    fn memory_mib(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
