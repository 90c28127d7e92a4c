//! `/health`: is the server alive, and can it serve?

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;

/// A database that takes longer to say anything is not there.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(live)).routes(routes!(ready))
}

/// The health of the server.
#[derive(Serialize, ToSchema)]
struct HealthBody {
    /// `ok`, `draining` or `unavailable`.
    #[schema(example = "ok", pattern = "^(ok|draining|unavailable)$")]
    status: &'static str,
    /// The version of the server.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The checks that were performed.
    checks: Checks,
}

/// The process is running.
#[derive(Serialize, ToSchema)]
struct LiveBody {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// The checks that were performed.
#[derive(Serialize, ToSchema)]
struct Checks {
    /// `ok` or `unavailable`.
    #[schema(example = "ok", pattern = "^(ok|unavailable)$")]
    database: &'static str,
}

/// Check the health of the server and its dependencies.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "health.get",
    responses((status = 200, description = "The server is healthy.", body = HealthBody),
        (status = 503, description = "The server is unhealthy; see the checks in the body.", body = HealthBody)),
    security(()),
)]
async fn health(State(shared): State<Shared>) -> Response {
    check(&shared).await
}

/// Check whether the process is running.
///
/// Does not check dependencies: restarting the process would not restore an unavailable database.
#[utoipa::path(
    get, path = "/health/live", tag = "health", operation_id = "health.live",
    responses((status = 200, description = "The process is running.", body = LiveBody)),
    security(()),
)]
async fn live() -> Json<LiveBody> {
    Json(LiveBody { status: "ok" })
}

/// Check whether the server can handle requests.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", operation_id = "health.ready",
    responses((status = 200, description = "The server is ready.", body = HealthBody),
        (status = 503, description = "The database is unavailable or the server is shutting down.", body = HealthBody)),
    security(()),
)]
async fn ready(State(shared): State<Shared>) -> Response {
    check(&shared).await
}

/// Whether the server can serve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    has_database: bool,
    is_draining: bool,
}

impl Readiness {
    /// Looks at what the server needs.
    pub(crate) async fn of(shared: &Shared) -> Self {
        let has_database = matches!(timeout(PING_TIMEOUT, shared.services.store.ping()).await, Ok(Ok(())));
        Self { has_database, is_draining: shared.draining.is_cancelled() }
    }

    /// Check whether the server can handle requests.
    pub(crate) fn is_ready(self) -> bool {
        self.has_database && !self.is_draining
    }
}

async fn check(shared: &Shared) -> Response {
    let Readiness { has_database, is_draining } = Readiness::of(shared).await;
    let status = match (has_database, is_draining) {
        (_, true) => "draining",
        (false, _) => "unavailable",
        (true, false) => "ok",
    };
    let database = if has_database { "ok" } else { "unavailable" };
    let body = Json(HealthBody { status, version: env!("CARGO_PKG_VERSION"), checks: Checks { database } });
    if status == "ok" {
        body.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], body).into_response()
    }
}
