//! What every request passes, in one visible order.
//!
//! Each file is one concern, a plain function; the order is written here, in three steps. (A tower layer for each
//! would clone and box all layers inside it, for every request.)

mod address;
mod auth;
mod cors;
mod deadline;
mod panic;
mod rate;
mod request_id;
mod rpc;
mod security_headers;
mod shed;
mod size;
mod trace;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::Method;
use tonic_web::GrpcWebLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tracing::Instrument;

pub use address::{PeerAddress, PeerProgram};
pub(crate) use auth::Presented;
pub(crate) use request_id::RequestId;
pub(crate) use rpc::{Dialect, Head};

use crate::config::{Limits, Server};
use crate::http::problem::Problem;
use crate::http::shape::Shape;
use crate::http::{Shared, idempotency};

/// What a small answer costs to compress is more than what it saves.
const COMPRESS_ABOVE_BYTES: u64 = 1024;

/// Around everything, outermost last.
pub(crate) fn around_all(router: Router, server: &Server, limits: &Limits) -> Router {
    let compression = SizeAbove::new(COMPRESS_ABOVE_BYTES)
        .and(NotForContentType::GRPC)
        .and(NotForContentType::SSE)
        .and(NotForContentType::IMAGES);
    let guards = Arc::new(Guards {
        clients: address::Trusted::new(server.trusted_proxies.clone()),
        budgets: rate::Budgets::new(limits),
        capacity: shed::Capacity::new(limits),
        header_bytes_max: limits.header_bytes,
    });
    let router =
        router.layer(CompressionLayer::new().compress_when(compression)).layer(from_fn_with_state(guards, guard));
    // Outside the guards: a page must be able to read that it has to wait.
    let router = match cors::layer(&server.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn(name_and_log))
}

/// Around bounded requests.
pub(crate) fn for_requests(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer(from_fn_with_state(Arc::clone(shared), take_request))
}

/// Around bounded requests that need no access token.
pub(crate) fn for_open_requests(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer(from_fn_with_state(Arc::clone(shared), take_open_request))
}

/// Around streams, which bound each line and each wait themselves.
pub(crate) fn for_streams(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer(from_fn_with_state(Arc::clone(shared), take_stream))
}

/// Around calls over gRPC and gRPC-web, outermost last.
pub(crate) fn for_rpcs(router: Router, shared: &Shared) -> Router {
    router
        .layer(from_fn_with_state(Arc::clone(shared), rpc::take))
        .layer(GrpcWebLayer::new())
        .layer(from_fn(rpc::admit))
}

/// First: a name for the request, its span in the log, and on the way back the body of whatever error there is,
/// and what browsers must be told on every answer.
async fn name_and_log(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let span = trace::span(&request, &id);
    let is_probe = is_exempt(&request);
    let policy = security_headers::policy_for(request.uri().path());
    let shape = Shape::of(&request);
    request.extensions_mut().insert(id.clone());

    let answered = async {
        let response = next.run(request).await;
        trace::answered(&response, is_probe);
        response
    };
    let mut response = id.mark(answered.instrument(span).await, shape);
    security_headers::lay(response.headers_mut(), policy);
    response
}

/// What the second step needs to know.
struct Guards {
    clients: address::Trusted,
    budgets: rate::Budgets,
    capacity: shed::Capacity,
    header_bytes_max: u32,
}

/// Second: a panic is one request's end; whose request is it, are its headers within bounds, have they budget
/// left, is there room?
async fn guard(State(guards): State<Arc<Guards>>, mut request: Request, next: Next) -> Response {
    let client = guards.clients.client_of(&request);
    request.extensions_mut().insert(client);
    let admitted = async {
        size::check_head(&request, guards.header_bytes_max)?;
        if is_exempt(&request) {
            return Ok(panic::catch(next.run(request)).await);
        }
        guards.budgets.admit(client)?;
        let _place = guards.capacity.enter()?;
        Ok(panic::catch(next.run(request)).await)
    };
    admitted.await.unwrap_or_else(Problem::into_response)
}

/// Third, for bounded requests: a deadline, a bound on the body, who asks, and has it been asked before?
async fn take_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let taken = async {
        let request = size::bound_body(request, shared.limits.body_bytes)?;
        let request = auth::identify(&shared, request).await?;
        let request = auth::hear_out(request).await?;
        let stale = auth::stale_cookie_of(&request);
        Ok(auth::blame(stale, idempotency::pass(&shared, request, next).await))
    };
    deadline::within(shared.limits.request_timeout_s, taken).await
}

/// The same without looking who asks.
async fn take_open_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let taken = async {
        let request = size::bound_body(request, shared.limits.body_bytes)?;
        let request = auth::anybody(&shared, request);
        Ok(idempotency::pass(&shared, request, next).await)
    };
    deadline::within(shared.limits.request_timeout_s, taken).await
}

/// Third, for streams: who asks?
async fn take_stream(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    match auth::identify(&shared, request).await {
        Ok(request) => {
            let stale = auth::stale_cookie_of(&request);
            auth::blame(stale, next.run(request).await)
        }
        Err(problem) => problem.into_response(),
    }
}

/// Probes are asked by machines on a schedule: they are outside budgets and shedding.
fn is_exempt<B>(request: &http::Request<B>) -> bool {
    let path = request.uri().path();
    match *request.method() {
        Method::GET => path == "/health" || path.starts_with("/health/"),
        Method::POST => path == "/grpc.health.v1.Health/Check",
        _ => false,
    }
}
