//! The example of `README.md`.

use axum::{Router, routing::get};
use denizen::Denizen;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let denizen = Denizen::builder().build().await?;
    let app = Router::new().route("/hello", get(async || "hello")).merge(denizen.router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    denizen.serve(listener, app).await?;
    Ok(())
}
