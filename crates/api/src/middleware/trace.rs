//! What is known of a request besides its content: its span, its metrics, and one line when it is answered.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use denizen_domain::access::Subject;
use denizen_domain::trace::SPAN_TARGET;
use denizen_infra::outside::is_public;
use denizen_infra::tracing_context;
use denizen_proto::METHODS;
use http::{HeaderMap, Method};
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tracing::Span;
use tracing::field::Empty;

use super::address::ClientAddress;
use super::request_id::RequestId;
use super::rpc::Dialect;
use crate::grpc::status::Refusal;
use crate::http::problem::Problem;
use crate::metrics::{Metrics, Route};

/// What stands for a method that is not in the list.
const OTHER: &str = "_OTHER";

/// A request that is being answered. Dropped before, it is recorded as canceled: its client has gone.
pub(super) struct Observed {
    metrics: Arc<Metrics>,
    began: Instant,
    kind: Kind,
    client: ClientAddress,
    is_probe: bool,
    is_answered: bool,
}

enum Kind {
    Http(&'static str, Route),
    Rpc(&'static str),
}

impl Observed {
    /// A request whose head has been read.
    pub(super) fn begin(request: &Request, client: ClientAddress, is_probe: bool, metrics: &Arc<Metrics>) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        let kind = if is_call(request, matched) {
            Kind::Rpc(rpc_method(request.uri().path()))
        } else {
            Kind::Http(http_method(request.method()), matched.cloned().map_or(Route::None, Route::Matched))
        };
        metrics.request_began();
        let metrics = Arc::clone(metrics);
        Self { metrics, began: now(), kind, client, is_probe, is_answered: false }
    }

    /// Records the response, before its body is written. Health checks are frequent, and their result is in the response: they
    /// are logged at level debug.
    pub(super) fn answered(mut self, response: &Response, caller: Option<Subject>, span: &Span) {
        self.is_answered = true;
        let (metrics, took) = (&self.metrics, self.began.elapsed());
        if let Some(problem) = response.extensions().get::<Problem>() {
            metrics.refused(problem.shared_code());
        }
        let status = response.status();
        let (code, is_failure) = match &self.kind {
            Kind::Http(method, route) => {
                metrics.answered(method, route.clone(), status.as_u16(), took);
                (None, status.is_server_error())
            }
            // Of a call, the status over HTTP says nothing.
            Kind::Rpc(method) => {
                let code = code_of(response, metrics);
                let name = name_of(code);
                metrics.called(rpc_name(method), name, took);
                (Some(name), matches!(code, Code::Internal | Code::Unknown | Code::Unavailable | Code::DataLoss))
            }
        };
        let status = code.is_none().then(|| status.as_u16());
        note_on_span(span, status, code, is_failure, caller);
        let client = self.client.0.map(tracing::field::display);
        let (user, service_account) = match caller {
            Some(Subject::User(id)) => (Some(tracing::field::display(id.as_uuid())), None),
            Some(Subject::ServiceAccount(id)) => (None, Some(tracing::field::display(id.as_uuid()))),
            None => (None, None),
        };
        let duration_ms = in_milliseconds(took);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "denizen::access",
                    status, code, duration_ms, client, user, service_account,
                    "request completed"
                )
            };
        }
        match (self.is_probe, is_failure) {
            (true, _) => line!(debug),
            (false, true) => line!(warn),
            (false, false) => line!(info),
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.metrics.request_ended();
        if self.is_answered {
            return;
        }
        self.metrics.request_canceled();
        let (duration_ms, client) = (in_milliseconds(self.began.elapsed()), self.client.0.map(tracing::field::display));
        tracing::info!(target: "denizen::access", duration_ms, client, "request canceled by the client");
    }
}

fn note_on_span(
    span: &Span,
    status: Option<u16>,
    code: Option<&'static str>,
    is_failure: bool,
    caller: Option<Subject>,
) {
    if span.is_none() {
        return;
    }
    span.record("http.response.status_code", status).record("rpc.response.status_code", code);
    if let Some(Subject::User(id)) = caller {
        span.record("user.id", tracing::field::display(id.as_uuid()));
    }
    if is_failure {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a request in its trace, by the semantic conventions of OpenTelemetry; the child of the span that the request
/// names (W3C Trace Context). Without an exporter there is none.
pub(super) fn server_span(request: &Request, observed: &Observed, accepts_public: bool) -> Span {
    if !tracing_context::is_on() {
        return Span::none();
    }
    let (method, route, rpc) = match &observed.kind {
        Kind::Http(method, route) => (Some(*method), Some(route.as_str()), None),
        Kind::Rpc(method) => (None, None, Some(rpc_name(method))),
    };
    let name = match (rpc, method, route) {
        (Some(rpc), ..) => rpc.to_owned(),
        (None, method, route) => format!("{} {}", method.unwrap_or(OTHER), route.unwrap_or_default()),
    };
    let span = tracing::info_span!(
        target: SPAN_TARGET,
        "request",
        otel.name = name,
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        rpc.system.name = rpc.map(|_| "grpc"),
        rpc.method = rpc,
        rpc.response.status_code = Empty,
        client.address = observed.client.0.map(tracing::field::display),
        user.id = Empty,
        otel.status_code = Empty,
    );
    // A stranger must not decide what is recorded, nor write into the traces of others.
    let is_known_network = observed.client.0.is_some_and(|client| !is_public(client));
    if is_known_network || accepts_public {
        tracing_context::continue_from(&span, request.headers());
    }
    span
}

/// A span that names the request, its method and its route: never its query or its headers, which may carry
/// secrets. Of a trace that it is part of (W3C Trace Context), the span carries the id.
pub(super) fn span(request: &Request, id: &RequestId, observed: &Observed, server_span: &Span) -> Span {
    let (method, route) = match &observed.kind {
        Kind::Http(method, route) => (*method, route.as_str()),
        Kind::Rpc(method) => ("POST", *method),
    };
    let span = tracing::info_span!("request", request_id = id.as_str(), method, route, trace_id = Empty);
    if server_span.is_none() {
        if let Some(trace_id) = trace_of(request.headers()) {
            span.record("trace_id", trace_id);
        }
    } else if let Some(trace_id) = tracing_context::trace_id_of(server_span) {
        span.record("trace_id", trace_id);
    }
    span
}

/// Whether it is a call over gRPC or gRPC-Web: the route of a call ends with whatever the method is.
fn is_call(request: &Request, matched: Option<&MatchedPath>) -> bool {
    matched.is_some_and(|route| route.as_str().ends_with("/{*rest}")) && Dialect::of(request.headers()).is_some()
}

/// The path of the method of a call; callers can name methods that do not exist.
fn rpc_method(path: &str) -> &'static str {
    METHODS.binary_search(&path).map_or(OTHER, |index| METHODS[index])
}

/// A method as `rpc.method` has it.
fn rpc_name(method: &'static str) -> &'static str {
    method.trim_start_matches('/')
}

/// The method of a request as `http.request.method` has it.
fn http_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

/// The status of a call, as far as its response head has it: that of a stream comes at its end. An error is counted by the
/// code of the catalogue.
fn code_of(response: &Response, metrics: &Metrics) -> Code {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Refusal::from(problem.clone()).code();
    }
    let Some(status) = response.extensions().get::<Status>() else { return Code::Ok };
    if let Some(info) = status.get_details_error_info() {
        metrics.refused(info.reason.into());
    }
    status.code()
}

/// The name of a code in the specification of gRPC.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// With three digits after the point.
fn in_milliseconds(took: Duration) -> f64 {
    f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1e3
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a request takes is real time, whatever the clock says")]
    Instant::now()
}

/// The trace id of `traceparent`, if it is well formed.
fn trace_of(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace_id, parent_id) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_null = |part: &str| part.bytes().all(|byte| byte == b'0');
    let is_well_formed = is_hex(version, 2) && version != "ff" && is_hex(trace_id, 32) && is_hex(parent_id, 16);
    (is_well_formed && !is_null(trace_id) && !is_null(parent_id)).then_some(trace_id)
}

#[cfg(test)]
mod tests {
    use super::{METHODS, OTHER, rpc_method, rpc_name, trace_of};
    use http::HeaderMap;

    fn check(header: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", header.parse().unwrap());
        assert_eq!(trace_of(&headers), expected, "{header}");
    }

    #[test]
    fn a_trace_is_taken_over_when_it_is_well_formed() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        check(&format!("00-{id}-b7ad6b7169203331-01"), Some(id));
        check(&format!("00-{id}-0000000000000000-01"), None);
        check(&format!("ff-{id}-b7ad6b7169203331-01"), None);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", None);
        check(&format!("00-{}-b7ad6b7169203331-01", id.to_uppercase()), None);
        check("forged", None);
    }
    #[test]
    fn a_method_is_known_by_its_path() {
        assert!(METHODS.is_sorted());
        assert_eq!(rpc_method("/denizen.v1.UserService/GetUser"), "/denizen.v1.UserService/GetUser");
        assert_eq!(rpc_name(rpc_method("/grpc.health.v1.Health/Check")), "grpc.health.v1.Health/Check");
        assert_eq!(rpc_method("/denizen.v1.UserService/Forged"), OTHER);
    }
}
