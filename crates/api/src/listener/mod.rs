//! The listener: HTTP/1.1 and HTTP/2 on one port, over TLS or in plain text, with bounds on time, headers, streams and connections.

mod prompt;
mod steady;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::config::Limits;
use crate::middleware::{PeerAddress, PeerProgram};
use crate::tls::{self, Tls};
use prompt::Prompt;
use steady::Steady;

const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
const HTTP2_STREAMS_MAX: u32 = 256;
/// How often a client that says nothing is asked whether it is still there, and how long it may take to say so.
const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(30);
const HTTP2_KEEP_ALIVE_PATIENCE: Duration = Duration::from_secs(20);
/// How long a client may take to take anything of what it is sent.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);
/// How long to pause when no connection can be accepted, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come from.
pub(crate) struct Sockets {
    /// The port.
    pub(crate) listener: TcpListener,
    /// What is spoken below HTTP; plain text when there is none.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// Serves until `stop` is cancelled, then lets requests in flight finish for at most `patience`.
pub(crate) async fn run(
    Sockets { listener, tls }: Sockets,
    router: Router,
    limits: &Limits,
    stop: &CancellationToken,
    patience: Duration,
) {
    let serving = Serving {
        builder: builder(limits),
        router,
        tls,
        head_timeout: Duration::from_secs(limits.header_timeout_s.into()),
    };
    let serving = Arc::new(serving);
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place.expect("the semaphore is never closed"),
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
        };
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let (serving, watcher) = (Arc::clone(&serving), connections.watcher());
        tokio::spawn(async move {
            if let Err(error) = serving.serve(stream, PeerAddress(peer), watcher).await {
                tracing::debug!(error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    if timeout(patience, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running when the time to stop was over");
    }
}

/// What every connection is served with.
struct Serving {
    builder: Builder<TokioExecutor>,
    router: Router,
    tls: Option<Arc<Tls>>,
    head_timeout: Duration,
}

impl Serving {
    async fn serve(&self, stream: TcpStream, peer: PeerAddress, watcher: Watcher) -> Result<(), String> {
        let Some(tls) = &self.tls else { return self.speak(stream, peer, None, watcher).await };
        let stream = match timeout(self.head_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the handshake took too long".to_owned()),
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let program = certificates.and_then(<[_]>::first).and_then(tls::program_of).map(PeerProgram);
        self.speak(stream, peer, program, watcher).await
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: PeerAddress,
        program: Option<PeerProgram>,
        watcher: Watcher,
    ) -> Result<(), String> {
        let router = self.router.clone();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(program) = program {
                request.extensions_mut().insert(program);
            }
            router.clone().call(request.map(Body::new))
        });
        let stream = TokioIo::new(Prompt::new(Steady::new(stream, TAKEN_WITHIN), self.head_timeout));
        let connection = self.builder.serve_connection_with_upgrades(stream, service).into_owned();
        watcher.watch(connection).await.map_err(|error| error.to_string())
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
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
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(HTTP2_KEEP_ALIVE)
        .keep_alive_timeout(HTTP2_KEEP_ALIVE_PATIENCE);
    builder
}

async fn pause_after(error: &io::Error) {
    let is_the_peers_doing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if !is_the_peers_doing {
        tracing::error!(%error, "cannot accept connections");
        sleep(ACCEPT_PAUSE).await;
    }
}
