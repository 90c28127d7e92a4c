//! The lifecycle of the server: migrate, listen, serve, drain, stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use denizen_domain::setup::{self, AtStart};
use denizen_infra::stores::StoreOptions;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, store_options};
use crate::cli::setup_link;
use crate::config::{Config, Server};
use crate::descriptors;
use crate::listener::{self, Sockets};
use crate::metrics;
use crate::tls::{Tls, TlsFiles};

/// How long requests are still accepted after the readiness check fails, so that load balancers can react.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);
/// How long the database connections may take to close.
pub(crate) const CLOSE: Duration = Duration::from_secs(1);

/// Runs the server until SIGTERM or SIGINT (Ctrl-C); a second signal stops it immediately.
///
/// # Errors
/// If the server cannot start: the port is in use, the database is unavailable, or the master key does not match.
pub async fn serve(mut config: Config) -> anyhow::Result<()> {
    descriptors::raise();
    let address = SocketAddr::new(config.server.host, config.server.port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    // With port 0 the system has chosen one; links and the issuer name it.
    config.server.port = listener.local_addr()?.port();

    let store = store_options(&config)?;
    // Before the migrations: a second server must not change the schema of the first.
    let claim = store.claim()?;
    store.check_sessions().await.context("connecting to the database")?;
    // Before anything is changed: a file that cannot be used ends the start.
    let tls = tls(&config).await?;
    if config.database.migrate_on_start {
        store.migrate().await.context("migrating the database")?;
    }
    let app = App::open_claimed(&config, claim).await?;
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let leaving = run_over(&app, &config, listener, tls, stop.clone());
    tokio::pin!(leaving);
    announce(&config, &store);

    tokio::select! {
        // The server answers while the link is being created.
        ((), ()) = async { tokio::join!(&mut leaving, offer_setup(&app, &config)) } => return Ok(()),
        () = signals.next() => {}
    }
    tracing::info!("shutting down: no longer ready, waiting for requests in progress");
    app.drain();
    let stopping = async {
        tokio::join!(leaving, async {
            sleep(DRAIN).await;
            stop.cancel();
        });
    };
    tokio::select! {
        () = stopping => tracing::info!("stopped"),
        () = signals.next() => tracing::warn!("second signal received, exiting immediately"),
    }
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C, for applications that embed the server.
pub async fn stop_requested() {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        // Without signals nothing but the end of the process stops it.
        Err(error) => {
            tracing::warn!(%error, "cannot install signal handlers");
            std::future::pending::<()>().await;
        }
    }
}

/// Serves on a listener until `stop` is canceled. Returns after the requests in progress are complete, at most
/// `server.shutdown_timeout_s` later, and the database is closed.
///
/// # Errors
/// If TLS is configured and its files are invalid.
pub async fn run(app: &App, config: &Config, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    let tls = tls(config).await?;
    run_over(app, config, listener, tls, stop).await;
    Ok(())
}

/// TLS, when it is configured.
async fn tls(config: &Config) -> anyhow::Result<Option<Arc<Tls>>> {
    tls_of(&config.server).await
}

/// The same, from the section `[server]`.
pub(crate) async fn tls_of(server: &Server) -> anyhow::Result<Option<Arc<Tls>>> {
    Ok(match TlsFiles::of(server) {
        Some(files) => Some(Arc::new(Tls::open(files).await.context("setting up TLS")?)),
        None => None,
    })
}

async fn run_over(app: &App, config: &Config, socket: TcpListener, tls: Option<Arc<Tls>>, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    tasks.spawn(app.upkeep(stop.clone()));
    if let Some(tls) = tls.clone() {
        let stop = stop.clone();
        tasks.spawn(async move { tls.follow(&stop).await });
    }
    if config.metrics.enabled {
        let (router, config, stop) = (app.metrics_router(), config.clone(), stop.clone());
        tasks.spawn(async move { metrics::serve(router, &config, &stop).await });
    }
    tasks.close();
    let patience = Duration::from_secs(config.server.shutdown_timeout_s.into());
    let upkeep = async {
        stop.cancelled().await;
        // A mail that is being sent is sent to its end: cut off, it might be sent again.
        let _ = timeout(patience, tasks.wait()).await;
    };
    tokio::join!(
        listener::run(
            Sockets { listener: socket, tls, metrics: Some(app.metrics()) },
            app.router(),
            (&config.limits, &config.server),
            &stop,
            patience
        ),
        upkeep
    );
    let _ = timeout(CLOSE, app.services.store.close()).await;
}

/// Logs a link for the first administrator if there is no user.
async fn offer_setup(app: &App, config: &Config) {
    let link = match setup::issue_on_start(&app.services).await {
        Ok(AtStart::Issued(link)) => link,
        Ok(AtStart::NotNeeded) => return,
        Ok(AtStart::IssuedBefore) => {
            tracing::warn!(
                "no user exists, and a setup link was issued less than a minute ago: use it, or run `denizen setup-link`"
            );
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "cannot create a setup link");
            return;
        }
    };
    let url = setup_link::url(&config.server.public_url(), &link);
    let expires_at = link.expires_at;
    tracing::warn!(%url, %expires_at, "no user exists: create the first administrator with this one-time link");
}

fn announce(config: &Config, store: &StoreOptions) {
    if !crate::post::sends_mail(config) {
        tracing::warn!(
            "neither mail.smtp_host nor mail.folder is set: no mail is sent, so users cannot reset passwords, verify \
             addresses, accept invitations or sign in by mail"
        );
    }
    let url = config.server.public_url();
    let port = config.server.port;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        host = %config.server.host,
        port,
        database = %store,
        docs = format!("{url}/docs"),
        "denizen is ready at {url}"
    );
}

/// The signals that stop the server.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Handled so that a write beyond the file size limit returns an error instead of ending the process.
    #[cfg(target_os = "linux")]
    _file_size: tokio::signal::unix::Signal,
}

/// `SIGXFSZ`, signal(7).
#[cfg(target_os = "linux")]
const FILE_SIZE_EXCEEDED: i32 = 25;

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("listening for SIGTERM")?,
            #[cfg(target_os = "linux")]
            _file_size: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE_EXCEEDED))
                .context("listening for SIGXFSZ")?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
