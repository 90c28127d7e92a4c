//! Public documents: pages of any origin may read the keys and the metadata of the issuer, without credentials.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::cors::is_preflight;

const PREFIX: &str = "/.well-known/";
/// Two hours, the longest that browsers remember a preflight.
const PREFLIGHT_AGE_S: &str = "7200";

/// Whether a request asks for a public document.
pub(super) fn are_asked_for(request: &Request) -> bool {
    request.uri().path().starts_with(PREFIX)
}

/// The answer to a preflight of a public document, if this is one.
pub(super) fn preflight(request: &Request) -> Option<Response> {
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S),
    ];
    let mut response = is_preflight(request).then(|| (StatusCode::NO_CONTENT, allowed).into_response())?;
    allow_any_origin(response.headers_mut());
    Some(response)
}

/// Marks a document as readable by any origin, without credentials.
pub(super) fn allow_any_origin(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, retry-after, x-request-id"));
}
