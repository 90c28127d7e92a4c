//! The span of a request, and one line when it is answered.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::is_exempt;
use super::request_id::RequestId;

/// Opens a span that names the request, its method and its route: never its query or its headers, which may
/// carry secrets.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    // Probes are asked again and again: what they found is in their answer.
    let is_probe = is_exempt(&request);
    let span = tracing::info_span!(
        "request",
        id = id.as_ref().map(RequestId::as_str),
        method = %request.method(),
        route = route.as_ref().map_or("none", MatchedPath::as_str),
    );
    async move {
        let response = next.run(request).await;
        let status = response.status().as_u16();
        if status >= 500 && !is_probe {
            tracing::warn!(status, "answered");
        } else {
            tracing::debug!(status, "answered");
        }
        response
    }
    .instrument(span)
    .await
}
