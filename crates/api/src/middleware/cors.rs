//! Cross-origin requests (the CORS protocol of the Fetch standard): pages of the origins that configuration names may call.

use std::time::Duration;

use axum::extract::Request;
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

/// What a request may do across origins, where configuration names any.
pub(super) struct Access {
    /// The named origin that the request comes from.
    origin: Option<HeaderValue>,
    is_preflight: bool,
}

impl Access {
    /// That of this request; `None` where no origin is named.
    pub(super) fn of(origins: &Origins, request: &Request) -> Option<Self> {
        if origins.are_closed() {
            return None;
        }
        Some(Self { origin: origins.readable(request.headers()).cloned(), is_preflight: is_preflight(request) })
    }

    /// The answer to a preflight of a named origin, if this is one.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
        (self.is_preflight && self.origin.is_some()).then(|| preflight(request.headers()))
    }

    /// Lets pages of a named origin read the answer. An answer to other requests stays as it is.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = self.origin.filter(|_| !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN)) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            // Origins that are named one by one: their pages may send cookies, and by `SameSite` those of our site do.
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            if !self.is_preflight {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
            }
        }
    }
}

/// Whether a browser asks for permission to send a request (the CORS-preflight request of the Fetch standard).
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
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
