//! What every request passes, in one visible order.
//!
//! Each file is one concern, a plain function; the order is written here, in three steps of which the first two are one
//! layer. (For every request, axum boxes each layer and its future, and clones what is inside it.)

mod address;
mod auth;
mod clients;
mod compress;
mod cors;
mod deadline;
mod exchange;
mod panic;
mod prefix;
mod public_documents;
pub(crate) mod query;
mod rate;
mod request_id;
mod rpc;
mod security_headers;
mod share;
mod shed;
mod size;
mod trace;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::Method;
use http::header::CONTENT_TYPE;
use tokio::time::Sleep;
use tonic_web::GrpcWebLayer;
use tracing::Instrument;

pub use address::{PeerAddress, PeerProgram};
pub(crate) use address::{Trusted, key_of};
pub(crate) use auth::{Presented, with_bearer};
pub(crate) use exchange::{ConnectionState, Exchange};
pub(crate) use prefix::path_of;
pub(crate) use request_id::RequestId;
pub(crate) use rpc::{Dialect, Head};
pub(crate) use shed::Capacity;

use self::address::ClientAddress;
use self::security_headers::Area;
use self::share::ShareLayer;
use self::trace::Observed;
use crate::concealment;
use crate::config::Server;
use crate::http::account::error_page::ErrorPages;
use crate::http::origins::Origins;
use crate::http::problem::Problem;
use crate::http::shape::Shape;
use crate::http::{Shared, idempotency};
use crate::metrics::Metrics;

/// Around everything, outermost last. All these routers share their limits.
pub(crate) fn around_all<const N: usize>(routers: [Router; N], shared: &Shared, server: &Server) -> [Router; N] {
    let product = shared.services.policy.product_name.as_str().into();
    let error_pages = ErrorPages { prefix: shared.prefix.as_str().into(), product };
    let limits = &shared.limits;
    let guards = Guards {
        clients: address::Trusted::new(server.trusted_proxies.clone()),
        budgets: rate::Budgets::new(limits, Arc::clone(&shared.services.clock)),
        under_way: Arc::new(clients::Clients::new(limits)),
        probes: Arc::new(clients::Clients::of_probes()),
        refusals: Arc::new(clients::Clients::new(limits)),
        header_bytes_max: limits.header_bytes,
    };
    let (origins, metrics) = (Arc::clone(&shared.origins), Arc::clone(&shared.metrics));
    let accepts_public_traces = shared.accepts_public_traces;
    let outer = Arc::new(Outer { error_pages, origins, guards, metrics, accepts_public_traces });
    routers.map(|router| router.layer((from_fn_with_state(Arc::clone(&outer), name_and_log), ShareLayer)))
}

/// Around bounded requests.
pub(crate) fn for_requests(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer((from_fn_with_state(Arc::clone(shared), take_request), ShareLayer))
}

/// Around bounded requests that need no access token.
pub(crate) fn for_open_requests(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer((from_fn_with_state(Arc::clone(shared), take_open_request), ShareLayer))
}

/// Around streams, which bound each line and each wait themselves.
pub(crate) fn for_streams(router: Router<Shared>, shared: &Shared) -> Router<Shared> {
    router.layer((from_fn_with_state(Arc::clone(shared), take_stream), ShareLayer))
}

/// Around calls over gRPC and gRPC-web, outermost last.
pub(crate) fn for_rpcs(router: Router, shared: &Shared) -> Router {
    router
        .layer((from_fn_with_state(Arc::clone(shared), rpc::take), ShareLayer))
        .layer((GrpcWebLayer::new(), ShareLayer))
        .layer((from_fn(rpc::admit), ShareLayer))
}

/// What the first and the second step need to know.
struct Outer {
    error_pages: ErrorPages,
    origins: Arc<Origins>,
    guards: Guards,
    metrics: Arc<Metrics>,
    /// Whether clients of the public network can name the trace of their request.
    accepts_public_traces: bool,
}

/// First: a name for the request, its span in the log, and on the way back the body of whatever error there is,
/// the headers that browsers need on every answer, and the path of the public URL.
async fn name_and_log(State(outer): State<Arc<Outer>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let client = outer.guards.clients.client_of(&request);
    let observed = Observed::begin(&request, client, is_exempt(&request), &outer.metrics);
    let server_span = trace::server_span(&request, &observed, outer.accepts_public_traces);
    let span = trace::span(&request, &id, &observed, &server_span);
    let exchange = exchange_of(&mut request);
    request.extensions_mut().insert(client);
    let area = Area::of(request.uri().path());
    let shape = Shape::of(&request);
    let error_page = outer.error_pages.wanted(&request);
    request.extensions_mut().insert(id.clone());

    let answered = async {
        let response = across_origins(&outer, request, next, (client, &exchange)).await;
        observed.answered(&response, exchange.caller(), &server_span);
        response
    };
    let mut response = id.mark(answered.instrument(span).instrument(server_span.clone()).await, shape, error_page);
    security_headers::lay(&mut response, area);
    prefix::lay(response.headers_mut(), &outer.error_pages.prefix);
    response
}

/// Outside the guards: a page must be able to read that it has to wait. Public documents come last, because their headers
/// replace those of the configured origins.
async fn across_origins(
    outer: &Outer,
    request: Request,
    next: Next,
    sender: (ClientAddress, &Arc<Exchange>),
) -> Response {
    let is_public_document = public_documents::are_asked_for(&request);
    if is_public_document && let Some(answer) = public_documents::preflight(&request) {
        return answer;
    }
    let access = cors::Access::of(&outer.origins, &request);
    let mut response = match access.as_ref().and_then(|access| access.preflight(&request)) {
        Some(answer) => answer,
        None => guard(&outer.guards, request, next, sender).await,
    };
    if let Some(access) = access {
        access.mark(response.headers_mut());
    }
    if is_public_document {
        public_documents::allow_any_origin(response.headers_mut());
    }
    response
}

/// What the second step needs to know.
struct Guards {
    clients: address::Trusted,
    budgets: rate::Budgets,
    /// Requests under way.
    under_way: Arc<clients::Clients>,
    /// Health checks under way, which nothing else bounds.
    probes: Arc<clients::Clients>,
    /// Refusals that are not yet written: they occupy memory as any response does.
    refusals: Arc<clients::Clients>,
    header_bytes_max: u32,
}

impl Guards {
    /// Whether the request may go on. It is counted against its client until its response is written.
    fn admit(&self, request: &Request, exchange: &Exchange, client: ClientAddress) -> Result<(), Problem> {
        size::check_head(request, self.header_bytes_max)?;
        if is_exempt(request) {
            exchange.count(self.probes.enter(client)?);
            return Ok(());
        }
        if exchange.connection().is_in_reserve() {
            return Err(Problem::overloaded(1));
        }
        self.budgets.admit(client)?;
        exchange.count(self.under_way.enter(client)?);
        Ok(())
    }

    /// The answer to a request that may not go on. A client that leaves too many of them unread loses the connection.
    fn refuse(&self, problem: Problem, request: &Request, exchange: &Exchange, client: ClientAddress) -> Response {
        match self.refusals.enter(client) {
            Ok(share) => exchange.count(share),
            // The connection of a proxy carries the requests of others too.
            Err(_) if self.clients.is_peer_of(request) => {}
            Err(_) => exchange.connection().evict(),
        }
        problem.into_response()
    }
}

/// Second: a panic is one request's end; whose request is it, are its headers within bounds, has its client budget left,
/// and not too much under way? On the way back, what gains by it is compressed.
async fn guard(
    guards: &Guards,
    request: Request,
    next: Next,
    (client, exchange): (ClientAddress, &Arc<Exchange>),
) -> Response {
    if let Err(problem) = guards.admit(&request, exchange, client) {
        return guards.refuse(problem, &request, exchange, client);
    }
    if is_exempt(&request) {
        return panic::catch(next.run(request)).await;
    }
    let is_followed = rpc::is_followed(&request);
    let encoding = compress::accepted(request.headers());
    let response = panic::catch(next.run(request)).await;
    if (is_followed && !rpc::is_refused(&response)) || is_event_stream(&response) {
        // Followers of events have bounds of their own, and stay.
        exchange.uncount();
    }
    compress::compress(encoding, response).await
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

/// Third, for bounded requests: the deadline, the bounds on the body and its rate, the limit of concurrent requests, the
/// authentication, and the idempotency key. Authentication comes after the body: the credential of a slow client must still
/// be valid then.
async fn take_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut earliest_answer = None;
    let taken = async {
        query::check(&request)?;
        let request = size::bound_body(request, shared.limits.body_bytes)?;
        let (request, _place) = upload::receive(&shared, request).await?;
        // From here: a body that arrives late must not use the time up.
        earliest_answer = sign_up_answer(&shared, &request);
        let request = auth::identify(&shared, request).await?;
        let ignored = auth::ignored_cookie_of(&request);
        Ok(auth::blame(ignored, idempotency::pass(&shared, request, next).await))
    };
    let response = deadline::within(shared.limits.request_timeout_s, taken).await;
    // Outside of everything that the request holds: no transaction and no place waits with it.
    if let Some(earliest_answer) = earliest_answer
        && matches!(response.status().as_u16(), 202 | 429 | 503)
    {
        earliest_answer.await;
    }
    response
}

/// When a sign-up may be answered that does not tell whether the address was free.
fn sign_up_answer(shared: &Shared, request: &Request) -> Option<Sleep> {
    let is_sign_up = request.method() == Method::POST && request.uri().path() == "/api/v1/users";
    if is_sign_up { concealment::earliest_answer(&shared.services.policy) } else { None }
}

/// The same without looking who asks.
async fn take_open_request(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let taken = async {
        query::check(&request)?;
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
        query::check(&request)?;
        let (request, _place) = upload::enter(&shared, request)?;
        let request = auth::identify(&shared, request).await?;
        let ignored = auth::ignored_cookie_of(&request);
        Ok(auth::blame(ignored, next.run(request).await))
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
