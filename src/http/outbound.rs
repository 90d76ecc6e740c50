//! The one way out to addresses that somebody else named: webhooks, gateways. Whoever sends calls [`Outbound::post`] and
//! no other HTTP client.
//!
//! A name is resolved once and the connection made to the addresses that were checked, never to what the name means a
//! moment later. A redirect is an answer like any other and never followed; no proxy is used; an attempt ends within
//! [`Outbound::timeout`]; of an answer at most [`ANSWER_BYTES_MAX`] bytes are read.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

mod rules;

use rules::{Name, Target};
pub use rules::{Policy, Refused, URL_CHARS_MAX, is_public};

/// Bytes that are read of the body of an answer; the rest is not looked at.
pub const ANSWER_BYTES_MAX: usize = 4 << 10;

/// Bytes of the head of an answer at most.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Sends requests to addresses that somebody else named.
#[derive(Clone, Debug)]
pub struct Outbound {
    policy: Arc<Policy>,
    pub names: Names,
    /// The longest that an attempt takes, from resolving the name to the last byte of the answer.
    pub timeout: Duration,
    tls: Arc<ClientConfig>,
}

/// Where names are resolved: by the machine, or by a table that tests write.
#[derive(Clone, Debug, Default)]
pub enum Names {
    #[default]
    System,
    Table(Arc<Mutex<HashMap<String, Vec<IpAddr>>>>),
}

/// What the other side answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The first [`ANSWER_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether it was taken: 2xx, and nothing else. A redirect is a failure.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Outbound {
    /// Fails only when the TLS library does not know its own versions.
    pub fn new(policy: Policy, timeout: Duration) -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Self::trusting(roots, policy, timeout)
    }

    fn trusting(roots: RootCertStore, policy: Policy, timeout: Duration) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { policy: Arc::new(policy), names: Names::System, timeout, tls: Arc::new(tls) })
    }

    /// Refuses an address that would not be called: its form, and what its host resolves to now. Sends nothing.
    pub async fn check(&self, url: &str) -> Result<(), Refused> {
        let target = rules::target(url, &self.policy)?;
        let looked_up = tokio::time::timeout(self.timeout, self.sockets(&target)).await;
        looked_up.map_err(|_| Refused::Unresolved)?.map(|_| ())
    }

    /// Posts `body` to `url`. Every answer counts as one, whatever its status: look at [`Answer::is_success`].
    pub async fn post(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, Refused> {
        let target = rules::target(url, &self.policy)?;
        let attempt = async {
            let sockets = self.sockets(&target).await?;
            let stream = connect(&sockets).await?;
            if !target.is_tls {
                return exchange(stream, &target, headers, body).await;
            }
            let stream = TlsConnector::from(Arc::clone(&self.tls))
                .connect(server_name(&target)?, stream)
                .await
                .map_err(|error| Refused::Unreachable(error.to_string()))?;
            exchange(stream, &target, headers, body).await
        };
        tokio::time::timeout(self.timeout, attempt).await.unwrap_or(Err(Refused::TimedOut))
    }

    async fn sockets(&self, target: &Target) -> Result<Vec<SocketAddr>, Refused> {
        let addresses = match &target.host {
            Name::Address(ip) => vec![*ip],
            Name::Domain(name) => self.names.resolve(name).await?,
        };
        target.sockets(&addresses, &self.policy)
    }
}

impl Names {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await.map_err(|_| Refused::Unresolved)?;
                Ok(found.map(|socket| socket.ip()).collect())
            }
            Self::Table(table) => {
                let table = table.lock().unwrap_or_else(PoisonError::into_inner);
                table.get(name).cloned().ok_or(Refused::Unresolved)
            }
        }
    }
}

async fn connect(sockets: &[SocketAddr]) -> Result<TcpStream, Refused> {
    TcpStream::connect(sockets).await.map_err(|error| Refused::Unreachable(error.to_string()))
}

fn server_name(target: &Target) -> Result<ServerName<'static>, Refused> {
    match &target.host {
        Name::Address(ip) => Ok(ServerName::IpAddress((*ip).into())),
        Name::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| Refused::Form("the host of the address has no name that a certificate can bear")),
    }
}

/// One request and its answer, after which the connection ends.
async fn exchange<S>(
    stream: S,
    target: &Target,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, Refused>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unreachable = |error: hyper::Error| Refused::Unreachable(error.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(unreachable)?;
    // Dropped with this function, the set ends what drives the connection.
    let mut driving = JoinSet::new();
    driving.spawn(async move {
        let _ = connection.await;
    });
    let mut request = hyper::Request::post(&target.path)
        .header("host", target.authority())
        .header("user-agent", "zhuxiao")
        .header("connection", "close");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| Refused::Form("a header or the path cannot be sent"))?;
    let response = sender.send_request(request).await.map_err(unreachable)?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: beginning(response.into_body()).await })
}

/// The first bytes of a body. One that breaks off is taken as far as it came: the status says what became of the request.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < ANSWER_BYTES_MAX {
        let Some(Ok(frame)) = body.frame().await else { break };
        if let Ok(data) = frame.into_data() {
            let room = ANSWER_BYTES_MAX.saturating_sub(read.len());
            read.extend(data.iter().take(room));
        }
    }
    read
}

#[cfg(test)]
mod tests;
