//! The way in over REST: one file per resource, and what they share.

pub(crate) mod answers;
pub mod body;
mod docs;
pub(crate) mod etag;
pub(crate) mod extract;
mod health;
pub(crate) mod idempotency;
mod me;
pub(crate) mod page;
pub(crate) mod problem;
mod sessions;
mod transfer;
mod users;
pub(crate) mod well_known;

use std::sync::Arc;

use axum::Router;
use denizen_domain::Services;
use denizen_infra::tokens::TokenVerifier;
use http::StatusCode;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::config::Limits;
use crate::middleware;
use problem::Problem;
use well_known::Document;

/// What handlers share.
pub(crate) type Shared = Arc<SharedState>;

/// What handlers share.
pub(crate) struct SharedState {
    /// The ports, for use cases.
    pub(crate) services: Arc<Services>,
    /// Verifies access tokens.
    pub(crate) verifier: TokenVerifier,
    /// The public keys.
    pub(crate) jwks: Document,
    /// The metadata of the issuer.
    pub(crate) metadata: Document,
    /// Cancelled when the server begins to stop.
    pub(crate) draining: CancellationToken,
    /// Bounds on requests.
    pub(crate) limits: Limits,
}

/// Every route, documented. Two groups: requests with a bounded body and a bounded time, and streams, which
/// bound each line and each wait instead.
pub(crate) fn documented() -> (OpenApiRouter<Shared>, OpenApiRouter<Shared>) {
    let requests = OpenApiRouter::new()
        .merge(health::routes())
        .merge(users::routes())
        .merge(me::routes())
        .merge(sessions::routes())
        .merge(well_known::routes());
    (requests, transfer::routes())
}

/// The whole REST surface, without the outer middleware.
pub(crate) fn router(shared: &Shared) -> Router {
    let (requests, streams) = documented();
    let requests = Router::from(requests).merge(docs::routes());
    let requests = middleware::for_requests(requests, shared);
    let streams = middleware::for_streams(Router::from(streams), shared);
    requests
        .merge(streams)
        .fallback(async || Problem::of_status(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(Arc::clone(shared))
}
