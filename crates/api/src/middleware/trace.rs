//! The span of a request, and one line when it is answered.

use axum::extract::{MatchedPath, Request};
use http::StatusCode;
use tracing::Span;

use super::request_id::RequestId;

/// A span that names the request, its method and its route: never its query or its headers, which may carry
/// secrets.
pub(super) fn span(request: &Request, id: &RequestId) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    tracing::info_span!("request", id = id.as_str(), method = %request.method(), route)
}

/// Notes the answer. What a probe found is in its answer: it asks again and again.
pub(super) fn answered(status: StatusCode, is_probe: bool) {
    let status_code = status.as_u16();
    if status.is_server_error() && !is_probe {
        tracing::warn!(status = status_code, "answered");
    } else {
        tracing::debug!(status = status_code, "answered");
    }
}
