//! A server inside another application: everything but the listener.

use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, store_options};
use crate::config::Config;

/// How long the database connections may take to close.
const CLOSE: Duration = Duration::from_secs(1);

/// A running server without a listener: its [router](Self::router) handles requests, and its background tasks send
/// mail, call webhooks, rotate signing keys and delete expired data.
///
/// If it is dropped without [`Self::stop`], the background tasks are aborted.
pub struct Embedded {
    app: App,
    stop: CancellationToken,
    tasks: TaskTracker,
    patience: Duration,
}

impl Embedded {
    /// Migrates the database unless `database.migrate_on_start` is `false`, and starts the background tasks. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// As [`App::open`], and if the migration fails.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let store = store_options(config)?;
        let claim = store.claim()?;
        store.check_sessions().await.context("connecting to the database")?;
        if config.database.migrate_on_start {
            store.migrate().await.context("migrating the database")?;
        }
        let app = App::open_claimed(config, claim).await?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(app.upkeep(stop.clone()));
        tasks.close();
        let patience = Duration::from_secs(config.server.shutdown_timeout_s.into());
        Ok(Self { app, stop, tasks, patience })
    }

    /// All routes with their middleware, to be merged into the router of the application.
    pub fn router(&self) -> Router {
        self.app.router()
    }

    /// The server, for access to its operations.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Starts the shutdown: `/health/ready` returns 503, event streams end, and the background tasks complete their
    /// current work. Requests are handled until [`Self::stop`].
    pub fn drain(&self) {
        self.app.drain();
        self.stop.cancel();
    }

    /// Waits for the background tasks, at most `server.shutdown_timeout_s`, and closes the database. Call it after the
    /// listener has stopped.
    pub async fn stop(&self) {
        self.drain();
        // A mail that is being sent is finished: otherwise it might be sent twice.
        if timeout(self.patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("background tasks did not stop in time");
        }
        let _ = timeout(CLOSE, self.app.services.store.close()).await;
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
