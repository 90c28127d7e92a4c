//! What the adapters over the crate `http` share: how a request is authenticated, and the response to a refusal.

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};

use crate::claims::Claims;
use crate::error::AuthError;
use crate::verifier::Verifier;

/// Authenticates by the headers of a request.
pub(crate) async fn authenticate(verifier: &Verifier, headers: &HeaderMap) -> Result<Option<Claims>, AuthError> {
    verifier.authenticate(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)).await
}

/// The response to a refused request.
pub(crate) fn response<B: From<String>>(error: &AuthError) -> Response<B> {
    let mut response = Response::new(B::from(error.to_json()));
    *response.status_mut() = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = error.challenge().and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = error.retry_after_s() {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}
