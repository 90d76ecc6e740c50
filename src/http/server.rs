//! The server: HTTP/1.1 on a listening socket, with the limits that the framework's own server has not. A connection is
//! held only as long as its client moves: to a complete head, to the next request, and on with reading an answer.
//! HTTP/2 is not spoken, so that none of its frames reaches any code of ours.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};

/// How long to wait after a connection could not be accepted, as without file descriptors the next try fails as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a request's head, and of what is read ahead of a body, at most.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the end of an answer to the next request.
    pub idle: Duration,
    /// From the first byte of a request, or from connecting, to the end of its head.
    pub head: Duration,
    /// While an answer is written, until it takes another byte of it.
    pub stall: Duration,
}

/// What the server allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; the next one waits to be accepted.
    pub connections: usize,
    pub patience: Patience,
    /// How long requests that have begun may take to finish after `stop`.
    pub finish: Duration,
}

/// Serves `endpoint` until `stop`, then lets what has begun finish.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    endpoint: BoxEndpoint<'static, Response>,
    stop: impl Future<Output = ()>,
) {
    let endpoint = Arc::new(endpoint);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let (ending, ended) = watch::channel(false);
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, remote, permit)) => {
                let connection = Connection { stream, remote, limits, ended: ended.clone() };
                let endpoint = Arc::clone(&endpoint);
                tokio::spawn(async move {
                    connection.converse(endpoint).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = ending.send(true);
    // Every connection holds a permit, so having all of them means that all have ended.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(limits.finish, permits.acquire_many(all)).await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, remote, permit))
}

struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    limits: Limits,
    ended: watch::Receiver<bool>,
}

impl Connection {
    /// Answers one request after the other until one side has enough.
    async fn converse(mut self, endpoint: Arc<BoxEndpoint<'static, Response>>) {
        let Ok(local) = self.stream.local_addr() else { return };
        let (local, remote) = (LocalAddr(local.into()), RemoteAddr(self.remote.into()));
        let steps = Arc::new(AtomicU64::new(0));
        let stream = PatientStream::new(self.stream, self.limits.patience, Arc::clone(&steps));
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (endpoint, steps) = (Arc::clone(&endpoint), Arc::clone(&steps));
            let request = (request, local.clone(), remote.clone(), Scheme::HTTP).into();
            async move {
                steps.fetch_add(1, Ordering::AcqRel);
                let answered: hyper::Response<_> = endpoint.get_response(request).await.into();
                steps.fetch_add(1, Ordering::AcqRel);
                Ok::<_, Infallible>(answered)
            }
        });
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_BYTES_MAX).header_read_timeout(None);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = async { drop(self.ended.wait_for(|ended| *ended).await) };
        let result = tokio::select! {
            result = &mut connection => result,
            () = ended => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(self.limits.finish, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// A connection that fails when its client takes too long.
struct PatientStream {
    stream: TcpStream,
    patience: Patience,
    /// Counted up when the work on a request begins and when its answer is there: odd while it is under way, and then
    /// nothing is expected of the client but the body, whose time [`super::intake`] measures.
    steps: Arc<AtomicU64>,
    steps_seen: u64,
    has_begun_a_head: bool,
    read_by: Pin<Box<Sleep>>,
    write_by: Option<Pin<Box<Sleep>>>,
}

impl PatientStream {
    fn new(stream: TcpStream, patience: Patience, steps: Arc<AtomicU64>) -> Self {
        let read_by = Box::pin(tokio::time::sleep(patience.head));
        Self { stream, patience, steps, steps_seen: 0, has_begun_a_head: false, read_by, write_by: None }
    }

    /// Ready when the client took too long to send what is waited for.
    fn poll_too_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let steps = self.steps.load(Ordering::Acquire);
        if !steps.is_multiple_of(2) {
            return Poll::Pending;
        }
        if steps != self.steps_seen {
            self.steps_seen = steps;
            self.wait_for_a_request();
        }
        self.read_by.as_mut().poll(context)
    }

    fn wait_for_a_request(&mut self) {
        self.has_begun_a_head = false;
        self.read_by.as_mut().reset(Instant::now() + self.patience.idle);
    }

    /// Passes on what became of a write, unless none has got anywhere for too long.
    fn poll_stalled(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_by = None;
            self.wait_for_a_request();
            return written;
        }
        let stall = self.patience.stall;
        let write_by = self.write_by.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        write_by.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_too_late(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before && !self.has_begun_a_head {
            self.has_begun_a_head = true;
            let later = Instant::now() + self.patience.head;
            self.read_by.as_mut().reset(later);
        }
        read
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.poll_stalled(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.poll_stalled(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
