//! Starts the service, and stops it on SIGTERM or Ctrl-C after the calls in progress.

use anyhow::Context;
use api::settings::Settings;
use api::{serve, startup};
use domain::NoteService;
use tonic::transport::server::TcpIncoming;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    dotenvy::dotenv().ok();
    let settings = Settings::read()?;
    startup::init_logging(&settings.log_filter)?;
    let verifier = startup::verifier(&settings)?;
    let database = startup::database(&settings).await?;
    let incoming = TcpIncoming::bind(settings.address).context("binding the address")?;
    tracing::info!(address = %incoming.local_addr()?, "listening");
    serve(incoming, verifier, NoteService::new(database.clone()), startup::stop_signal()).await?;
    database.close().await;
    Ok(())
}
