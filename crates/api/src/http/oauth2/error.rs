//! The error shape of RFC 6749 §5.2.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::Problem;

/// The codes that stand for themselves.
const OAUTH_CODES: [&str; 8] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_token",
    "insufficient_scope",
    "unsupported_grant_type",
    "unsupported_token_type",
];

/// The body of every error below `/oauth2/` (RFC 6749 §5.2).
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthErrorBody<'a> {
    /// A stable error code.
    #[schema(example = "invalid_grant")]
    error: &'a str,
    /// Human-readable message; may change between releases.
    #[schema(example = "The token is invalid, or was not issued to this client.")]
    error_description: String,
}

/// A request that lacks something, or says something twice.
pub(crate) fn invalid_request(message: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", message)
}

/// A grant type that is not served.
pub(super) fn unsupported_grant_type() -> Problem {
    let message = "The grant type must be client_credentials or refresh_token.";
    Problem::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", message)
}

/// The body of an error that has this code elsewhere.
pub(crate) fn error_body(status: StatusCode, code: &str, message: &str) -> Vec<u8> {
    let body = OAuthErrorBody {
        error: code_of(code, status),
        error_description: message.chars().filter(|char| is_describing(*char)).collect(),
    };
    serde_json::to_vec(&body).expect("strings serialise")
}

fn code_of(code: &str, status: StatusCode) -> &'static str {
    let known = OAUTH_CODES.into_iter().find(|known| *known == code);
    known.unwrap_or(match status {
        StatusCode::FORBIDDEN => "insufficient_scope",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        _ if status.is_server_error() => "server_error",
        _ => "invalid_request",
    })
}

/// What a description may be made of: `%x20-21 / %x23-5B / %x5D-7E`.
fn is_describing(char: char) -> bool {
    matches!(char, ' '..='~') && !matches!(char, '"' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_our_own_become_those_of_oauth() {
        for (code, status, expected) in [
            ("invalid_grant", 400, "invalid_grant"),
            ("invalid_client", 401, "invalid_client"),
            ("forbidden", 403, "insufficient_scope"),
            ("route_not_found", 404, "invalid_request"),
            ("method_not_allowed", 405, "invalid_request"),
            ("body_too_large", 413, "invalid_request"),
            ("too_many_requests", 429, "temporarily_unavailable"),
            ("database_unavailable", 503, "temporarily_unavailable"),
            ("internal", 500, "server_error"),
        ] {
            assert_eq!(code_of(code, StatusCode::from_u16(status).unwrap()), expected, "{code}");
        }
    }
}
