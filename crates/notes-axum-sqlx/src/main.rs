//! Starts the service, and stops it on SIGTERM or Ctrl-C.

use anyhow::Context;
use denizen_client::{RevocationFeed, Verifier};
use denizen_notes_axum_sqlx::settings::Settings;
use denizen_notes_axum_sqlx::{app, open_database};
use tokio::net::TcpListener;
use tokio::signal;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().json().with_env_filter("info").init();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;
    let feed = RevocationFeed::builder(&settings.issuer).api_key(&settings.api_key).start()?;
    let verifier = Verifier::builder(&settings.issuer).audience(&settings.audience).revocations(feed).build()?;
    let notes = open_database(&settings.database_url).await.context("opening the database")?;
    let listener = TcpListener::bind(&settings.address).await.context("binding the address")?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    axum::serve(listener, app(verifier, notes.clone())).with_graceful_shutdown(stopped()).await?;
    notes.close().await;
    Ok(())
}

/// Resolves when the process should stop: requests in flight are completed.
async fn stopped() {
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
