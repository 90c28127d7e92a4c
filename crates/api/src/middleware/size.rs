//! Bounds on headers and bodies.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http_body_util::Limited;

use crate::http::problem::Problem;

/// Counts the address, names and values; the listener bounds what it reads of them before they come here.
pub(super) fn check_head(request: &Request, bytes_max: u32) -> Result<(), Problem> {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let address = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    if headers.sum::<usize>() + address <= bytes_max as usize {
        return Ok(());
    }
    let message = "The request line and headers are too large.";
    Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message))
}

/// Refuses what announces too much before reading it, and stops reading what turns out to be too much.
pub(super) fn bound_body(request: Request, bytes_max: u32) -> Result<Request, Problem> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > u64::from(bytes_max)) {
        return Err(Problem::too_large());
    }
    if request.body().is_end_stream() {
        return Ok(request);
    }
    Ok(request.map(|body| Body::new(Limited::new(body, bytes_max as usize))))
}
