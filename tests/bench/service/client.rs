//! A small HTTP/1.1 client that keeps its connection and costs next to nothing, as it shares the machine with what it
//! measures; and the threads that drive eight of them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Connections of a load, as many as `pgbench` has clients.
pub const CLIENTS: usize = 8;

/// Requests of one client in one measurement at most.
const REQUESTS_MAX: usize = 1_000_000;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One kept connection, of somebody signed in or of nobody.
pub struct Client {
    stream: BufReader<TcpStream>,
    authorization: String,
}

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    pub fn open(address: SocketAddr, token: Option<&str>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let authorization =
            token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        Ok(Self { stream: BufReader::new(stream), authorization })
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        let text = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{}\r\n", self.authorization);
        self.exchange(text.as_bytes())
    }

    pub fn post(&mut self, path: &str, key: &str, body: &str) -> io::Result<Answer> {
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\n{}content-type: application/json\r\nidempotency-key: {key}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.authorization,
            body.len()
        );
        self.exchange(text.as_bytes())
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.get_mut().write_all(request)?;
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
        let unreadable = || io::Error::new(io::ErrorKind::InvalidData, status_line.clone());
        let mut body = vec![0; length.ok_or_else(unreadable)?];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status: status.ok_or_else(unreadable)?, body })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

/// What a load gave.
pub struct Load {
    pub per_second: f64,
    pub median: Duration,
    /// 99 of 100 took no longer.
    pub slow: Duration,
}

/// Eight clients send requests one after the other for `pause`; `send` answers what is wrong with an answer, if
/// anything is, and gets the number of the client and of the request.
pub fn load<S>(
    address: SocketAddr,
    tokens: &[String],
    pause: Duration,
    send: impl Fn(&mut Client, usize, usize) -> io::Result<S> + Sync,
) -> Load {
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    let mut taken: Vec<Duration> = std::thread::scope(|scope| {
        let (is_over, send) = (&is_over, &send);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let token = tokens.get(number % tokens.len().max(1)).map(String::as_str);
                scope.spawn(move || {
                    let mut client = Client::open(address, token).expect("the service listens");
                    let mut taken = Vec::new();
                    while !is_over.load(Ordering::Relaxed) && taken.len() < REQUESTS_MAX {
                        let sent = Instant::now();
                        send(&mut client, number, taken.len()).expect("every request is answered");
                        taken.push(sent.elapsed());
                    }
                    taken
                })
            })
            .collect();
        std::thread::sleep(pause);
        is_over.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("a client ends well")).collect()
    });
    let per_second = taken.len() as f64 / begun.elapsed().as_secs_f64();
    taken.sort_unstable();
    let at = |percent: usize| taken.get(taken.len() * percent / 100).copied().unwrap_or_default();
    Load { per_second, median: at(50), slow: at(99) }
}

/// Milliseconds with two decimals.
pub fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}
