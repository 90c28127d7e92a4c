//! Starts the service, and stops it on SIGTERM or Ctrl-C after the requests in progress.

use anyhow::Context;
use api::settings::Settings;
use api::{app, startup};
use domain::NoteService;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    dotenvy::dotenv().ok();
    let settings = Settings::read()?;
    startup::init_logging(&settings.log_filter)?;
    let verifier = startup::verifier(&settings)?;
    let database = startup::database(&settings).await?;
    let listener = TcpListener::bind(settings.address).await.context("binding the address")?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let app = app(&verifier, &NoteService::new(database.clone()));
    warp::serve(app).incoming(listener).graceful(startup::stop_signal()).run().await;
    database.close().await;
    Ok(())
}
