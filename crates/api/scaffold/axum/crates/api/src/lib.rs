//! The HTTP API.
//!
//! Reading order: `bodies` (JSON) → `routes` (handlers) → `error` and `respond` (responses) → `app` (the router).

mod auth;
mod bodies;
mod error;
mod openapi;
mod respond;
mod routes;
pub mod settings;
pub mod startup;

use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use denizen_client::Verifier;
use denizen_client::axum::AuthLayer;
use domain::NoteService;
use tracing::Instrument;

use crate::bodies::BODY_BYTES_MAX;
use crate::error::ApiError;

/// The router. `/openapi.json` and `/health` do not require a token.
pub fn app(verifier: Verifier, notes: NoteService) -> Router {
    Router::new()
        .route("/notes", get(routes::list).post(routes::create).delete(routes::delete_all))
        .route("/notes/{id}", get(routes::get).put(routes::replace).delete(routes::delete))
        .layer(AuthLayer::identify(verifier))
        .route("/openapi.json", get(async || Json(openapi::document())))
        .route("/health", get(routes::health))
        .fallback(async || ApiError::NoSuchPath)
        .method_not_allowed_fallback(async || ApiError::NoSuchMethod)
        .with_state(notes)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(trace))
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
