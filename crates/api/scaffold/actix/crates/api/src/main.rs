//! Starts the service, and stops it on SIGTERM or Ctrl-C after the requests in progress.

use actix_web::{App, HttpServer};
use anyhow::Context;
use api::settings::Settings;
use api::{configure, startup};
use domain::NoteService;

/// How long requests in progress may take after the signal to stop, in seconds.
const SHUTDOWN_TIMEOUT_S: u64 = 30;

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    dotenvy::dotenv().ok();
    let settings = Settings::read()?;
    startup::init_logging(&settings.log_filter)?;
    let verifier = startup::verifier(&settings)?;
    let database = startup::database(&settings).await?;
    let notes = NoteService::new(database.clone());
    let server = HttpServer::new(move || App::new().configure(configure(verifier.clone(), notes.clone())))
        .bind(settings.address)
        .context("binding the address")?
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_TIMEOUT_S);
    tracing::info!(addresses = ?server.addrs(), "listening");
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        startup::stop_signal().await;
        handle.stop(true).await;
    });
    server.await?;
    database.close().await;
    Ok(())
}
