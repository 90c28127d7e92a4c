//! What every request passes, in one visible order.
//!
//! Each file is one concern, a plain function; the order is written here, in three steps. (A tower layer for each
//! would clone and box all layers inside it, for every request.)

mod address;
mod auth;
mod clients;
mod compress;
mod cors;
mod deadline;
mod exchange;
mod panic;
mod rate;
mod request_id;
mod rpc;
mod security_headers;
mod shed;
mod size;
mod trace;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use denizen_domain::ports::Clock;
use http::Method;
use http::header::CONTENT_TYPE;
use tonic_web::GrpcWebLayer;
use tracing::Instrument;

pub use address::{PeerAddress, PeerProgram};
pub(crate) use address::{Trusted, key_of};
pub(crate) use auth::{Presented, with_bearer};
pub(crate) use exchange::{ConnectionState, Exchange};
pub(crate) use request_id::RequestId;
pub(crate) use rpc::{Dialect, Head};
pub(crate) use shed::Capacity;

use crate::config::{Limits, Server};
use crate::http::problem::Problem;
use crate::http::shape::Shape;
use crate::http::{Shared, idempotency};

/// Around everything, outermost last.
pub(crate) fn around_all(router: Router, server: &Server, limits: &Limits, clock: Arc<dyn Clock>) -> Router {
    let guards = Arc::new(Guards {
        clients: address::Trusted::new(server.trusted_proxies.clone()),
        budgets: rate::Budgets::new(limits, clock),
        under_way: Arc::new(clients::Clients::new(limits)),
        header_bytes_max: limits.header_bytes,
    });
    let router = router.layer(from_fn_with_state(guards, guard));
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
    under_way: Arc<clients::Clients>,
    header_bytes_max: u32,
}

/// Second: a panic is one request's end; whose request is it, are its headers within bounds, has its client budget left,
/// and not too much under way? On the way back, what gains by it is compressed.
async fn guard(State(guards): State<Arc<Guards>>, mut request: Request, next: Next) -> Response {
    let client = guards.clients.client_of(&request);
    request.extensions_mut().insert(client);
    let admitted = async {
        size::check_head(&request, guards.header_bytes_max)?;
        if is_exempt(&request) {
            return Ok(panic::catch(next.run(request)).await);
        }
        let exchange = exchange_of(&mut request);
        if exchange.connection().is_in_reserve() {
            return Err(Problem::overloaded(1));
        }
        guards.budgets.admit(client)?;
        exchange.count(guards.under_way.enter(client)?);
        let is_followed = rpc::is_followed(&request);
        let encoding = compress::accepted(request.headers());
        let response = panic::catch(next.run(request)).await;
        if is_followed || is_event_stream(&response) {
            // Followers of events have bounds of their own, and stay.
            exchange.uncount();
        }
        Ok(compress::compress(encoding, response).await)
    };
    admitted.await.unwrap_or_else(Problem::into_response)
}

/// The exchange that the listener has laid on the request, or one of its own where the router is mounted elsewhere.
fn exchange_of(request: &mut Request) -> Arc<Exchange> {
    if let Some(exchange) = request.extensions().get::<Arc<Exchange>>() {
        return Arc::clone(exchange);
    }
    let exchange = Exchange::begin(&Arc::new(ConnectionState::new()));
    request.extensions_mut().insert(Arc::clone(&exchange));
    exchange
}

fn is_event_stream(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream")
}

/// Third, for bounded requests: a deadline, a bound on the body and its time, a place among those that are worked on, who
/// asks, and has it been asked before? Who asks is looked at after the body: a slow caller must still be allowed
/// to ask then.
async fn take_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let taken = async {
        let request = size::bound_body(request, shared.limits.body_bytes)?;
        let (request, _place) = upload::receive(&shared, request).await?;
        let request = auth::identify(&shared, request).await?;
        let stale = auth::stale_cookie_of(&request);
        Ok(auth::blame(stale, idempotency::pass(&shared, request, next).await))
    };
    deadline::within(shared.limits.request_timeout_s, taken).await
}

/// The same without looking who asks.
async fn take_open_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let taken = async {
        let request = size::bound_body(request, shared.limits.body_bytes)?;
        let (request, _place) = upload::receive(&shared, request).await?;
        let request = auth::anybody(&shared, request);
        Ok(idempotency::pass(&shared, request, next).await)
    };
    deadline::within(shared.limits.request_timeout_s, taken).await
}

/// Third, for streams: a place, and who asks?
async fn take_stream(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let taken = async {
        let (request, _place) = upload::enter(&shared, request)?;
        let request = auth::identify(&shared, request).await?;
        let stale = auth::stale_cookie_of(&request);
        Ok(auth::blame(stale, next.run(request).await))
    };
    taken.await.unwrap_or_else(Problem::into_response)
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
