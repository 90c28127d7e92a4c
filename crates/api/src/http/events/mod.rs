//! `/api/v1/events`: the log of what happened, and how to follow it.

pub(crate) mod body;
pub(crate) mod follow;
mod list;
mod revocations;
mod schemas;
mod sse;
mod tickets;
mod ws;

use axum::routing::connect;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;

pub(super) fn open_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(schemas::schemas))
}

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(list::list_own)).routes(routes!(tickets::create))
}

/// Those that last.
pub(super) fn streams() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sse::follow))
        .routes(routes!(revocations::follow_revocations))
        .routes(routes!(ws::follow))
        // Over HTTP/2 a WebSocket is opened by CONNECT (RFC 8441).
        .route("/api/v1/events/ws", connect(ws::follow))
}
