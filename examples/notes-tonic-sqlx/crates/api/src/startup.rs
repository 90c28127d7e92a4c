//! What every start needs, and the signal to stop.

use anyhow::Context;
use denizen_client::{RevocationFeed, Verifier};
use infra::Database;
use secrecy::ExposeSecret;
use tokio::signal;
use tracing_subscriber::EnvFilter;

use crate::settings::Settings;

/// Writes log lines to standard output, as JSON.
pub fn init_logging(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).context("reading LOG_FILTER")?;
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).init();
    Ok(())
}

/// The verifier of access tokens, which follows the revocations of Denizen. Keys are fetched with the first token, so that
/// the service starts without Denizen.
pub fn verifier(settings: &Settings) -> anyhow::Result<Verifier> {
    let api_key = settings.denizen_api_key.expose_secret();
    let feed = RevocationFeed::builder(&settings.denizen_issuer).api_key(api_key).start()?;
    Ok(Verifier::builder(&settings.denizen_issuer).audience(&settings.denizen_audience).revocations(feed).build()?)
}

/// Opens the database and migrates it.
pub async fn database(settings: &Settings) -> anyhow::Result<Database> {
    Database::open(settings.database_url.expose_secret(), settings.database_connections_max).await
}

/// Resolves on SIGTERM or Ctrl-C.
pub async fn stop_signal() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = signal::ctrl_c() => {}
        () = terminated => {}
    }
    tracing::info!("stopping");
}
