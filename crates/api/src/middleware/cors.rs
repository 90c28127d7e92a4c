//! Which origins' pages may call: none unless configuration names them.

use std::time::Duration;

use http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::strength::PASSWORD_STRENGTH;

const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_GRPC_WEB: HeaderName = HeaderName::from_static("x-grpc-web");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
const X_USER_AGENT: HeaderName = HeaderName::from_static("x-user-agent");
/// The longest that browsers remember a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_hours(2);

pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            IF_NONE_MATCH,
            IDEMPOTENCY_KEY,
            X_CSRF_TOKEN,
            X_REQUEST_ID,
            GRPC_TIMEOUT,
            TRACEPARENT,
            X_GRPC_WEB,
            X_USER_AGENT,
        ])
        // Origins that are named one by one: their pages may send cookies, and by `SameSite` those of our site do.
        .allow_credentials(true)
        .expose_headers([
            ETAG,
            GRPC_MESSAGE,
            GRPC_STATUS,
            GRPC_STATUS_DETAILS,
            IDEMPOTENCY_REPLAYED,
            LINK,
            LOCATION,
            PASSWORD_STRENGTH,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            X_REQUEST_ID,
            X_TOTAL_COUNT,
        ])
        .max_age(PREFLIGHT_AGE);
    Some(cors)
}
