//! `/health`: is the server alive, and can it serve?

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use denizen_domain::store::Pong;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use crate::heartbeats::Pulse;

/// A database that takes longer to say anything is not there.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(live)).routes(routes!(startup)).routes(routes!(ready))
}

/// The health of the server.
#[derive(Serialize, ToSchema)]
struct HealthBody {
    /// `ok`, `degraded` (requests are handled; see the checks), `draining` or `unavailable`.
    #[schema(example = "ok", pattern = "^(ok|degraded|draining|unavailable)$")]
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
    /// `ok`, `pending` (the schema is older than the server) or `unknown` (the database is unavailable).
    #[schema(example = "ok", pattern = "^(ok|pending|unknown)$")]
    migrations: &'static str,
    /// `ok`, or `missing` (access tokens cannot be signed).
    #[schema(example = "ok", pattern = "^(ok|missing)$")]
    signing_keys: &'static str,
    /// Background jobs of this node: `ok`, `late` (one that requests do not depend on) or `stalled`.
    #[schema(example = "ok", pattern = "^(ok|late|stalled)$")]
    workers: &'static str,
}

/// Whether the start is complete.
#[derive(Serialize, ToSchema)]
struct StartupBody {
    /// `ok` or `starting`.
    #[schema(example = "ok", pattern = "^(ok|starting)$")]
    status: &'static str,
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

/// Check whether the start is complete.
///
/// Returns 200 as soon as the server was ready once, and from then on.
#[utoipa::path(
    get, path = "/health/startup", tag = "health", operation_id = "health.startup",
    responses((status = 200, description = "The start is complete.", body = StartupBody),
        (status = 503, description = "The server was not ready yet.", body = StartupBody)),
    security(()),
)]
async fn startup(State(shared): State<Shared>) -> Response {
    if shared.has_started.load(Ordering::Relaxed) || Readiness::of(&shared).await.is_ready() {
        return Json(StartupBody { status: "ok" }).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], Json(StartupBody { status: "starting" })).into_response()
}

/// Check whether the server can handle requests.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", operation_id = "health.ready",
    responses((status = 200, description = "The server is ready.", body = HealthBody),
        (status = 503, description = "The server cannot handle requests, or is shutting down; see the checks in the body.",
            body = HealthBody)),
    security(()),
)]
async fn ready(State(shared): State<Shared>) -> Response {
    check(&shared).await
}

/// Whether the server can serve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// `None` if the database did not answer.
    database: Option<Pong>,
    can_sign: bool,
    pulse: Pulse,
    is_draining: bool,
}

impl Readiness {
    /// Checks what the server needs, with one statement.
    pub(crate) async fn of(shared: &Shared) -> Self {
        let database = timeout(PING_TIMEOUT, shared.services.store.ping()).await.ok().and_then(Result::ok);
        let readiness = Self {
            database,
            can_sign: shared.ring.can_sign(),
            pulse: shared.heartbeats.pulse(),
            is_draining: shared.draining.is_cancelled(),
        };
        if readiness.is_ready() {
            shared.has_started.store(true, Ordering::Relaxed);
        }
        readiness
    }

    /// Whether the server can handle requests.
    pub(crate) fn is_ready(self) -> bool {
        self.can_serve() && !self.is_draining
    }

    /// The same of a server that may be shutting down.
    fn can_serve(self) -> bool {
        let has_schema = self.database.is_some_and(|database| database.is_schema_current);
        has_schema && self.can_sign && self.pulse != Pulse::Stalled
    }

    fn status(self) -> &'static str {
        match self {
            Self { is_draining: true, .. } => "draining",
            readiness if !readiness.can_serve() => "unavailable",
            Self { pulse: Pulse::Late, .. } => "degraded",
            _ => "ok",
        }
    }

    fn checks(self) -> Checks {
        Checks {
            database: if self.database.is_some() { "ok" } else { "unavailable" },
            migrations: match self.database {
                Some(Pong { is_schema_current: true }) => "ok",
                Some(_) => "pending",
                None => "unknown",
            },
            signing_keys: if self.can_sign { "ok" } else { "missing" },
            workers: match self.pulse {
                Pulse::Regular => "ok",
                Pulse::Late => "late",
                Pulse::Stalled => "stalled",
            },
        }
    }
}

async fn check(shared: &Shared) -> Response {
    let readiness = Readiness::of(shared).await;
    let (status, checks) = (readiness.status(), readiness.checks());
    let body = Json(HealthBody { status, version: env!("CARGO_PKG_VERSION"), checks });
    if readiness.is_ready() {
        body.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use denizen_domain::store::Pong;

    use super::Readiness;
    use crate::heartbeats::Pulse;

    #[test]
    fn a_late_job_degrades_and_what_requests_need_decides() {
        let current = Some(Pong { is_schema_current: true });
        let ready = Readiness { database: current, can_sign: true, pulse: Pulse::Regular, is_draining: false };
        for (readiness, status, is_ready) in [
            (ready, "ok", true),
            (Readiness { pulse: Pulse::Late, ..ready }, "degraded", true),
            (Readiness { pulse: Pulse::Stalled, ..ready }, "unavailable", false),
            (Readiness { can_sign: false, ..ready }, "unavailable", false),
            (Readiness { database: None, ..ready }, "unavailable", false),
            (Readiness { database: Some(Pong { is_schema_current: false }), ..ready }, "unavailable", false),
            (Readiness { is_draining: true, ..ready }, "draining", false),
        ] {
            assert_eq!((readiness.status(), readiness.is_ready()), (status, is_ready));
        }
    }
}
