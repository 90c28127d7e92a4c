//! An application with its own routes, next to those of Denizen.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use denizen::config::{Config, Overrides};
use denizen::{Embedded, PeerAddress};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::load(&Overrides::default())?.config;
    // Dropped at the end, it writes the lines that are still queued. Leave it out if you set up `tracing` yourself.
    let _log = denizen::telemetry::init(&config.telemetry)?;
    // Migrates the database and starts the background tasks: mail, webhooks, signing keys, deletion.
    let accounts = Arc::new(Embedded::start(&config).await?);

    let app =
        Router::new().route("/hello", get(async || "hello")).merge(accounts.router()).layer(from_fn(peer_address));

    let listener = TcpListener::bind((config.server.host, config.server.port)).await?;
    let stopping = Arc::clone(&accounts);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            denizen::lifecycle::stop_requested().await;
            stopping.drain();
        })
        .await?;
    accounts.stop().await;
    Ok(())
}

/// Passes on the client address, which rate limits and the list of sessions need.
async fn peer_address(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(PeerAddress(peer));
    next.run(request).await
}
