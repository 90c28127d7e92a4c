//! Starts the service, and stops it on SIGTERM or Ctrl-C after the requests in progress.

use api::settings::Settings;
use api::{app, startup};
use domain::NoteService;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    dotenvy::dotenv().ok();
    let settings = Settings::read()?;
    startup::init_logging(&settings.log_filter)?;
    let verifier = startup::verifier(&settings)?;
    let database = startup::database(&settings).await?;
    let rocket = app(settings.address, verifier, NoteService::new(database.clone())).ignite().await?;
    let shutdown = rocket.shutdown();
    tokio::spawn(async move {
        startup::stop_signal().await;
        shutdown.notify();
    });
    tracing::info!(address = %settings.address, "starting");
    rocket.launch().await?;
    database.close().await;
    Ok(())
}
