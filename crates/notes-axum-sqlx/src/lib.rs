//! A notes API whose rows belong to the signed-in user: an example of a service that relies on Denizen for its users.
//!
//! Reading order: `notes` (what a note is) → `notes::store` (SQL) → `notes::routes` (HTTP) → `error` (responses).

mod error;
mod notes;
pub mod settings;

use std::str::FromStr;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use denizen_client::Verifier;
use denizen_client::axum::AuthLayer;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tracing::Instrument;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

pub use notes::store::Notes;

/// More than the largest note in JSON, which escapes a character with up to twelve.
const BODY_BYTES_MAX: usize = 256 * 1024;
const CONNECTIONS_MAX: u32 = 8;

#[derive(OpenApi)]
#[openapi(info(title = "Notes", description = "Notes of signed-in users."), security(("denizen" = [])))]
struct Document;

/// The routes. `/openapi.json` and `/health` are open to everybody.
pub fn app(verifier: Verifier, notes: Notes) -> Router {
    let (router, mut document) =
        OpenApiRouter::with_openapi(Document::openapi()).merge(notes::routes::routes()).split_for_parts();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert("denizen".to_owned(), SecurityScheme::Http(scheme).into());
    router
        .layer(AuthLayer::identify(verifier))
        .with_state(notes)
        .route("/openapi.json", get(async || Json(document)))
        .route("/health", get(async || "ok"))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(trace))
}

/// Opens the database, creates it if it does not exist, and migrates it.
///
/// # Errors
/// If the database cannot be opened or migrated.
pub async fn open_database(url: &str) -> anyhow::Result<Notes> {
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
    sqlx::migrate!().run(&pool).await?;
    Ok(Notes::new(pool))
}

/// Logs each request, without its query and headers.
async fn trace(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let span = tracing::info_span!("request", method = %request.method(), route);
    async {
        let response = next.run(request).await;
        tracing::info!(status = response.status().as_u16(), "responded");
        response
    }
    .instrument(span)
    .await
}
