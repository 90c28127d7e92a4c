//! The listener: HTTP/1.1 and HTTP/2 on one port, with bounds on time, headers, streams and connections.

mod prompt;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::config::Limits;
use crate::middleware::PeerAddress;
use prompt::Prompt;

const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
const HTTP2_STREAMS_MAX: u32 = 256;
const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long to pause when no connection can be accepted, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled, then lets requests in flight finish for at most `patience`.
pub(crate) async fn run(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    stop: &CancellationToken,
    patience: Duration,
) {
    let builder = builder(limits);
    let header_timeout = Duration::from_secs(limits.header_timeout_s.into());
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
        let stream = Prompt::new(stream, header_timeout);
        let serving = connections.watch(connection(&builder, stream, PeerAddress(peer), router.clone()));
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    if timeout(patience, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running when the time to stop was over");
    }
}

fn connection(
    builder: &Builder<TokioExecutor>,
    stream: Prompt,
    peer: PeerAddress,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error: std::fmt::Display> + Send + use<> {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().call(request.map(Body::new))
    });
    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned()
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
        .keep_alive_interval(HTTP2_KEEP_ALIVE);
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
