//! The server inside an application: everything except the listener, which the application can also have from here.

pub(crate) mod accounts;
mod builder;
pub(crate) mod hooks;
mod mount;
pub(crate) mod transaction;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::config::{Limits, Server};
use crate::lifecycle::{CLOSE, DRAIN, stop_requested, tls_of};
use crate::listener::{self, Sockets};
use accounts::Accounts;
pub use builder::{BuildError, Builder};
use mount::MountPath;

/// A server inside an application: its routes, and its background tasks, which send mail, call webhooks, rotate signing
/// keys and delete expired data.
///
/// A clone refers to the same server. When the last one is dropped without [`Self::stop`], the background tasks end.
#[derive(Clone)]
pub struct Denizen(Arc<Inner>);

struct Inner {
    app: App,
    mount_path: Option<MountPath>,
    limits: Limits,
    server: Server,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Denizen {
    /// Settings for a server, which [`Builder::build`] starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts the background tasks of an app. Must be called within a tokio runtime.
    fn start(app: App, mount_path: Option<MountPath>, (limits, server): (Limits, Server), tasks: TaskTracker) -> Self {
        let stop = CancellationToken::new();
        tasks.spawn(app.upkeep(stop.clone()));
        tasks.close();
        Self(Arc::new(Inner { app, mount_path, limits, server, stop, tasks }))
    }

    /// All routes with their middleware, to be merged into the router of the application: REST, gRPC, WebSocket, and the
    /// pages behind mailed links. With [`Builder::mount_path`], REST and pages are under that path.
    ///
    /// The client's address is read from the extension
    /// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo) of the request, or from [`PeerAddress`](crate::PeerAddress),
    /// which takes precedence. Without both, all clients share one rate limit.
    pub fn router(&self) -> Router {
        match &self.0.mount_path {
            Some(path) => self.0.app.router_at(path.as_str()),
            None => self.0.app.router(),
        }
    }

    /// `/metrics`, to be served where the public cannot reach it.
    pub fn metrics_router(&self) -> Router {
        self.0.app.metrics_router()
    }

    /// The use cases that applications need, as plain calls.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        Accounts::new(Arc::clone(&self.0.app.services))
    }

    /// The server, for access to its ports.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// The address of `server.host` and `server.port`.
    #[must_use]
    pub fn listen_address(&self) -> SocketAddr {
        SocketAddr::new(self.0.server.host, self.0.server.port)
    }

    /// Serves the router of the application until SIGTERM, Ctrl-C or [`Self::drain`], and then shuts the server down.
    ///
    /// This is the listener of the binary: HTTP/1.1 and HTTP/2, the connection limits and timeouts of the configuration,
    /// its TLS certificate, and a graceful shutdown within `server.shutdown_timeout_s`. `axum::serve` can be used instead.
    ///
    /// # Errors
    /// If TLS is configured and its files are invalid.
    pub async fn serve(&self, listener: TcpListener, app: Router) -> Result<(), BuildError> {
        let Inner { limits, server, stop: draining, .. } = &*self.0;
        let tls = tls_of(server).await.map_err(BuildError::start)?;
        let stop = CancellationToken::new();
        let follow_certificate = async {
            if let Some(tls) = &tls {
                tls.follow(&stop).await;
            }
        };
        let end = async {
            tokio::select! {
                () = stop_requested() => self.drain(),
                () = draining.cancelled() => {}
            }
            sleep(DRAIN).await;
            stop.cancel();
        };
        let sockets = Sockets { listener, tls: tls.clone(), metrics: Some(self.0.app.metrics()) };
        let serving = listener::run(sockets, app, (limits, server), &stop, self.patience());
        tokio::join!(serving, end, follow_certificate);
        self.stop().await;
        Ok(())
    }

    /// Waits for SIGTERM or Ctrl-C, and then calls [`Self::drain`]: for `with_graceful_shutdown` of `axum::serve`.
    pub fn shutdown_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        let denizen = self.clone();
        async move {
            stop_requested().await;
            denizen.drain();
        }
    }

    /// Begins the shutdown: `/health/ready` returns 503, event streams end, and the background tasks complete their current
    /// work. Requests are processed until [`Self::stop`].
    pub fn drain(&self) {
        self.0.app.drain();
        self.0.stop.cancel();
    }

    /// Waits for the background tasks, at most `server.shutdown_timeout_s`, and closes the database. Call it after the
    /// listener has stopped.
    pub async fn stop(&self) {
        self.drain();
        // A mail that is being sent is finished: otherwise it might be sent twice.
        if timeout(self.patience(), self.0.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks did not stop in time");
        }
        let _ = timeout(CLOSE, self.0.app.services.store.close()).await;
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.0.server.shutdown_timeout_s.into())
    }
}
