//! An application with its own routes next to those of Denizen, which are under `/auth`.

use axum::Router;
use axum::routing::get;
use denizen::Denizen;
use denizen::config::{Config, Overrides};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::load(&Overrides::default())?.config;
    // Dropped at the end, it writes the lines that are still queued. Omit it if you set up `tracing` yourself.
    let _log = denizen::telemetry::init(&config.telemetry)?;
    // Migrates the database and starts the background tasks: mail, webhooks, signing keys, deletion.
    let denizen = Denizen::builder().config(config).mount_path("/auth").build().await?;

    let app = Router::new().route("/hello", get(async || "hello")).merge(denizen.router());

    let listener = TcpListener::bind(denizen.listen_address()).await?;
    denizen.serve(listener, app).await?;
    Ok(())
}
