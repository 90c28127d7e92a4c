//! The span of a request, and one line when it is answered.

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::HeaderMap;
use tonic::{Code, Status};
use tracing::Span;
use tracing::field::Empty;

use super::request_id::RequestId;
use super::rpc::Dialect;

/// No registered method is longer.
const VERB_BYTES_MAX: usize = 20;
/// A name of a service and of a method is not longer.
const METHOD_BYTES_MAX: usize = 128;

/// A span that names the request, its method and its route: never its query or its headers, which may carry
/// secrets. Of a trace that it is part of (W3C Trace Context), the span carries the id.
pub(super) fn span(request: &Request, id: &RequestId) -> Span {
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // The route of a call ends with whatever the method is.
    let is_call = matched.is_some_and(|route| route.ends_with("/{*rest}")) && Dialect::of(request.headers()).is_some();
    let path = request.uri().path();
    let route = if is_call && path.len() <= METHOD_BYTES_MAX { path } else { matched.unwrap_or("none") };
    let method = Some(request.method().as_str()).filter(|method| method.len() <= VERB_BYTES_MAX).unwrap_or("other");
    let span = tracing::info_span!("request", id = id.as_str(), method, route, trace_id = Empty);
    if let Some(trace_id) = trace_of(request.headers()) {
        span.record("trace_id", trace_id);
    }
    span
}

/// Notes the answer. What a probe found is in its answer: it asks again and again.
pub(super) fn answered(response: &Response, is_probe: bool) {
    let status = response.status();
    let status_code = status.as_u16();
    // Of a call, the status over HTTP says nothing.
    let code = response.extensions().get::<Status>().map(Status::code);
    let is_failure = status.is_server_error() || matches!(code, Some(Code::Internal | Code::Unavailable));
    match code {
        Some(code) if is_failure && !is_probe => tracing::warn!(?code, "request completed"),
        Some(code) => tracing::debug!(?code, "request completed"),
        None if is_failure && !is_probe => tracing::warn!(status = status_code, "request completed"),
        None => tracing::debug!(status = status_code, "request completed"),
    }
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
    use super::trace_of;
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
}
