//! Cross-origin requests (the CORS protocol of the Fetch standard): pages of the origins that configuration names may call.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::http::origins::Origins;

const METHODS: &str = "GET,POST,PUT,PATCH,DELETE";
/// The headers of answers that pages may read.
const EXPOSED: &str = "etag,grpc-message,grpc-status,grpc-status-details-bin,idempotency-replayed,link,location,\
                       password-strength,retry-after,www-authenticate,x-request-id,x-total-count,\
                       x-total-count-limited";
/// The longest that browsers remember a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_hours(2);

/// Answers preflights, and lets pages of a named origin read the answers. What does not come from such a page passes as
/// it is.
pub(super) async fn pass(State(origins): State<Arc<Origins>>, request: Request, next: Next) -> Response {
    if origins.are_closed() {
        return next.run(request).await;
    }
    let origin = origins.readable(request.headers()).cloned();
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &origin {
        Some(_) if is_preflight => preflight(request.headers()),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|_| !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        // Origins that are named one by one: their pages may send cookies, and by `SameSite` those of our site do.
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if !is_preflight {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
    response
}

/// Allows whatever headers the page wants to send: tracing libraries and event sources add their own, and to a page that
/// may call with credentials no header opens anything more.
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_AGE.as_secs()));
    headers.append(VARY, HeaderValue::from_static("access-control-request-method, access-control-request-headers"));
    response
}
