//! The listener: HTTP/1.1 and HTTP/2 on one port, over TLS or in plain text, with bounds on time, headers, streams and connections.

mod limiter;
mod linger;
mod outgoing;
mod prompt;
mod stall;
mod steady;
mod unread;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::config::{Limits, Server};
use crate::metrics::Metrics;
use crate::middleware::{Exchange, PeerAddress, PeerProgram};
use crate::tls::{self, Tls};
use limiter::{ConnectionLimiter, OpenConnection};
use linger::Linger;
use outgoing::Outgoing;
use prompt::Prompt;
use stall::{StreamExecutor, TAKEN_WITHIN};
use steady::Steady;
use unread::Unread;

const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
/// How many streams one HTTP/2 connection may have open (RFC 9113 §6.5.2 recommends no less).
const HTTP2_STREAMS_MAX: u32 = 100;
/// How much a client may send on one stream, and on all of a connection, before the server has read it.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// How much of the response of one stream waits in the transport.
const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// How many streams may be reset by a client before they were looked at, and by the server for errors of the client, before
/// the connection is closed.
const HTTP2_RESETS_PENDING_MAX: usize = 20;
const HTTP2_RESETS_LOCAL_MAX: usize = 256;
/// How often a client that says nothing is asked whether it is still there, and how long it may take to say so.
const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(30);
const HTTP2_KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(20);
/// How often each connection is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// How long a connection may be open without a request, and a client take nothing of what waits for it.
const IDLE_MAX: Duration = Duration::from_mins(5);
const STALLED_MAX: Duration = Duration::from_mins(1);
/// How long a connection lives on which only health checks are answered.
const RESERVE_LIFETIME: Duration = Duration::from_secs(5);
/// How long to pause when no connection can be accepted, for want of file descriptors for example, and how many idle
/// connections are closed each time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const EVICTED_AT_ONCE: usize = 16;

/// Where connections come from.
pub(crate) struct Sockets {
    /// The port.
    pub(crate) listener: TcpListener,
    /// What is spoken below HTTP; plain text when there is none.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Where connections are counted.
    pub(crate) metrics: Option<Arc<Metrics>>,
}

/// Serves until `stop` is cancelled, then lets requests in flight finish for at most `patience`.
pub(crate) async fn run(
    Sockets { listener, tls, metrics }: Sockets,
    router: Router,
    (limits, server): (&Limits, &Server),
    stop: &CancellationToken,
    patience: Duration,
) {
    let serving = Serving {
        builder: builder(limits),
        router,
        tls,
        head_timeout: Duration::from_secs(limits.header_timeout_s.into()),
        stop: stop.clone(),
    };
    let serving = Arc::new(serving);
    let limiter = Arc::new(ConnectionLimiter::new(limits, server));
    let connections = TaskTracker::new();
    let mut is_failing = false;
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    recover(&error, &limiter, &mut is_failing).await;
                    continue;
                }
            },
        };
        if std::mem::take(&mut is_failing) {
            tracing::info!("accepting connections again");
        }
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let (serving, connection) = (Arc::clone(&serving), limiter.open(peer.ip()));
        let counted = metrics.as_ref().map(|metrics| metrics.connection());
        connections.spawn(async move {
            let _counted = counted;
            if let Err(error) = serving.serve(stream, PeerAddress(peer), connection).await {
                tracing::debug!(error, "connection failed");
            }
        });
    }
    drop(listener);
    connections.close();
    if timeout(patience, connections.wait()).await.is_err() {
        tracing::warn!("requests were still in progress at the end of the shutdown timeout");
    }
}

/// What every connection is served with.
struct Serving {
    builder: Builder<StreamExecutor>,
    router: Router,
    tls: Option<Arc<Tls>>,
    head_timeout: Duration,
    stop: CancellationToken,
}

impl Serving {
    async fn serve(&self, stream: TcpStream, peer: PeerAddress, connection: OpenConnection) -> Result<(), String> {
        let Some(tls) = &self.tls else { return self.speak(stream, peer, None, connection).await };
        let state = Arc::clone(connection.state());
        let stream = tokio::select! {
            shaken = timeout(self.head_timeout, tls.acceptor().accept(stream)) => match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err("TLS handshake timed out".to_owned()),
            },
            () = state.evicted() => return Err("connection closed to make room".to_owned()),
            () = self.stop.cancelled() => return Ok(()),
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let program = certificates.and_then(<[_]>::first).and_then(tls::program_of).map(PeerProgram);
        self.speak(stream, peer, program, connection).await
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: PeerAddress,
        program: Option<PeerProgram>,
        connection: OpenConnection,
    ) -> Result<(), String> {
        let state = Arc::clone(connection.state());
        let (router, of_requests) = (self.router.clone(), Arc::clone(&state));
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let exchange = Exchange::begin(&of_requests);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(Arc::clone(&exchange));
            if let Some(program) = program {
                request.extensions_mut().insert(program);
            }
            let answering = answer(router.clone(), request, exchange);
            async move { Ok::<_, Infallible>(answering.await) }
        });
        let stream = Prompt::new(Steady::new(stream, TAKEN_WITHIN), self.head_timeout, connection);
        let stream = Linger::new(stream, Arc::clone(&state));
        let mut serving = pin!(self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut is_closing = false;
        loop {
            let check_in = if state.is_in_reserve() { RESERVE_LIFETIME } else { CHECK_EVERY };
            tokio::select! {
                ended = serving.as_mut() => return ended.map_err(|error| error.to_string()),
                () = state.evicted() => return Err("connection closed to make room".to_owned()),
                () = self.stop.cancelled(), if !is_closing => {
                    serving.as_mut().graceful_shutdown();
                    is_closing = true;
                }
                () = sleep(check_in) => {
                    if state.is_in_reserve() || state.is_stalled_for(STALLED_MAX) {
                        return Err("connection closed: the client does not read its responses or exceeds the \
                                    limits".to_owned());
                    }
                    if state.is_idle_for(IDLE_MAX) && !is_closing {
                        serving.as_mut().graceful_shutdown();
                        is_closing = true;
                    }
                }
            }
        }
    }
}

/// Answers one request.
async fn answer(
    mut router: Router,
    request: http::Request<Incoming>,
    exchange: Arc<Exchange>,
) -> http::Response<Outgoing> {
    let is_http1 = request.version() < http::Version::HTTP_2;
    let is_connect = request.method() == http::Method::CONNECT;
    let unread = if is_http1 { Some(Unread::of(&request)).filter(|_| !request.body().is_end_stream()) } else { None };
    let request = match &unread {
        Some(unread) => request.map(|body| Body::new(unread.watch(body))),
        None => request.map(Body::new),
    };
    let Ok(mut response) = router.call(request).await;
    let is_switched = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    if is_switched || (is_connect && response.status().is_success()) {
        exchange.connection().upgrade();
    }
    let is_left = match unread {
        Some(unread) => !unread.drain().await,
        None => false,
    };
    if is_left {
        exchange.connection().linger();
    }
    if is_http1 && (is_left || exchange.connection().is_in_reserve()) {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    response.map(|body| Outgoing::new(body, exchange))
}

fn builder(limits: &Limits) -> Builder<StreamExecutor> {
    let mut builder = Builder::new(StreamExecutor::new());
    // Without a timer hyper's header timeout never fires.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_s.into()))
        .max_buf_size(HTTP1_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(HTTP2_RESETS_PENDING_MAX)
        .max_local_error_reset_streams(HTTP2_RESETS_LOCAL_MAX)
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(HTTP2_KEEP_ALIVE)
        .keep_alive_timeout(HTTP2_KEEP_ALIVE_PATIENCE);
    builder
}

/// After a connection could not be accepted: when it is for want of something other than the peer, which is logged once,
/// connections that wait for a request are closed, and there is a short pause.
async fn recover(error: &io::Error, limiter: &ConnectionLimiter, is_failing: &mut bool) {
    let is_the_peers_doing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if is_the_peers_doing {
        return;
    }
    if !std::mem::replace(is_failing, true) {
        tracing::error!(%error, "cannot accept connections, closing idle ones");
    }
    limiter.evict_idle(EVICTED_AT_ONCE);
    sleep(ACCEPT_PAUSE).await;
}
