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

/// Every route, documented, in groups that differ in what they pass on the way in.
pub(crate) struct Groups {
    /// Bounded requests that need no access token and look at none.
    pub(crate) open: OpenApiRouter<Shared>,
    /// Bounded requests.
    pub(crate) requests: OpenApiRouter<Shared>,
    /// Streams, which bound each line and each wait instead of body and time.
    pub(crate) streams: OpenApiRouter<Shared>,
}

/// Every route.
pub(crate) fn documented() -> Groups {
    Groups {
        open: OpenApiRouter::new().merge(health::routes()).merge(sessions::open_routes()).merge(well_known::routes()),
        requests: OpenApiRouter::new().merge(users::routes()).merge(me::routes()).merge(sessions::routes()),
        streams: transfer::routes(),
    }
}

/// The whole REST surface, without the outer middleware.
pub(crate) fn router(shared: &Shared) -> Router {
    let Groups { open, requests, streams } = documented();
    let open = middleware::for_open_requests(Router::from(open).merge(docs::routes()), shared);
    let requests = middleware::for_requests(Router::from(requests), shared);
    let streams = middleware::for_streams(Router::from(streams), shared);
    open.merge(requests)
        .merge(streams)
        .fallback(async || Problem::of_status(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(Arc::clone(shared))
}
