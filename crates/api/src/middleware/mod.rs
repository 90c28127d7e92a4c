//! What every request passes, in one visible order.

mod address;
mod auth;
mod cors;
mod deadline;
mod rate;
mod request_id;
mod security_headers;
mod shed;
mod size;
mod trace;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{Method, Request};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

pub use address::PeerAddress;

use crate::config::{IpNet, Limits, Server};
use crate::http::problem::Problem;
use crate::http::{Shared, idempotency};

/// What a small answer costs to compress is more than what it saves.
const COMPRESS_ABOVE_BYTES: u64 = 1024;

/// Around everything, outermost first.
pub(crate) fn around_all(router: Router, server: &Server, limits: &Limits) -> Router {
    let clients = Arc::new(address::Trusted::new(server.trusted_proxies.clone()));
    let compression = SizeAbove::new(COMPRESS_ABOVE_BYTES).and(NotForContentType::SSE).and(NotForContentType::IMAGES);
    router.layer(
        ServiceBuilder::new()
            // 1. A name for the request; and the body of whatever error comes back.
            .layer(from_fn(request_id::layer))
            // 2. Its span in the log.
            .layer(from_fn(trace::layer))
            // 3. What browsers must be told on every answer.
            .layer(from_fn(security_headers::layer))
            .layer(cors::layer(&server.cors_origins))
            // 4. A panic is one request's 500, not the server's end.
            .layer(CatchPanicLayer::custom(after_panic))
            // 5. Whose request it is, and whether they have budget left.
            .layer(from_fn_with_state(clients, address::layer))
            .layer(from_fn_with_state(rate::Limiter::new(limits), rate::layer))
            // 6. No more at once than we can carry.
            .layer(from_fn_with_state(shed::Capacity::new(limits), shed::layer))
            // 7. Headers within bounds.
            .layer(from_fn_with_state(limits.header_bytes, size::headers))
            .layer(CompressionLayer::new().compress_when(compression)),
    )
}

/// Around bounded requests: time, size, credentials, repetition.
pub(crate) fn for_requests(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(shared.limits.request_timeout_s, deadline::layer))
            .layer(from_fn_with_state(shared.limits.body_bytes, size::body))
            .layer(from_fn_with_state(Arc::clone(shared), auth::layer))
            .layer(from_fn_with_state(Arc::clone(shared), idempotency::layer)),
    )
}

/// Around bounded requests that need no credentials.
pub(crate) fn for_open_requests(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(shared.limits.request_timeout_s, deadline::layer))
            .layer(from_fn_with_state(shared.limits.body_bytes, size::body))
            .layer(from_fn_with_state(Arc::clone(shared), auth::anonymous))
            .layer(from_fn_with_state(Arc::clone(shared), idempotency::layer)),
    )
}

/// Around streams, which bound each line and each wait themselves.
pub(crate) fn for_streams(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer(from_fn_with_state(Arc::clone(shared), auth::layer))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn after_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("of unknown form"), "a handler panicked");
    Problem::internal().into_response()
}

/// Health and discovery are asked by machines on a schedule: they are outside budgets and shedding.
fn is_exempt<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    request.method() == Method::GET && (path == "/health" || path.starts_with("/health/"))
}

/// The networks whose forwarded headers count.
pub(crate) type TrustedProxies = Vec<IpNet>;
