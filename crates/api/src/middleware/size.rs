//! Bounds on headers and bodies.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::Limited;

use crate::http::problem::Problem;

/// Counts names and values; the listener bounds what it reads of them before they come here.
pub(super) async fn headers(State(bytes_max): State<u32>, request: Request, next: Next) -> Response {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let total = headers.sum::<usize>() + request.uri().path().len() + request.uri().query().map_or(0, str::len);
    if total > bytes_max as usize {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Problem::new(status, "headers_too_large", "The address and the headers are too large.").into_response();
    }
    next.run(request).await
}

/// Refuses what announces too much before reading it, and stops reading what turns out to be too much.
pub(super) async fn body(State(bytes_max): State<u32>, request: Request, next: Next) -> Response {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > u64::from(bytes_max)) {
        return Problem::too_large().into_response();
    }
    next.run(request.map(|body| Body::new(Limited::new(body, bytes_max as usize)))).await
}
