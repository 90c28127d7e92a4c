//! `/oauth2`: tokens for programs (RFC 6749), what a token stands for (RFC 7662), and its end (RFC 7009).
//!
//! Errors have the form of RFC 6749 §5.2 here, those of the middleware included, and no answer is stored by anybody.

mod answers;
mod client;
mod error;
mod form;
mod introspect;
mod revoke;
mod token;

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderValue};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use answers::HeadTooLarge;
pub(crate) use error::{OAuthErrorBody, error_body, invalid_request};
pub(crate) use token::refresh;

use super::Shared;

const PREFIX: &str = "/oauth2/";

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(token::token))
        .routes(routes!(introspect::introspect))
        .routes(routes!(revoke::revoke))
}

/// Whether what lies at the path speaks OAuth.
pub(crate) fn is_at(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Tokens are for the client alone (RFC 6749 §5.1).
pub(crate) fn forbid_storing(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}
