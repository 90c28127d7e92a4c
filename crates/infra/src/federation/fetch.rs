//! `GET` requests to providers that answer with JSON.

use std::collections::BTreeMap;

use http::header::{ACCEPT, CACHE_CONTROL, USER_AGENT};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use super::failure::Failure;
use crate::outside::{Answer, Outside, send};

/// Identifies the client in the logs of the provider. GitHub refuses requests without it.
pub(super) const PROGRAM: &str = concat!("Denizen/", env!("CARGO_PKG_VERSION"));
/// The lifetime of a document that states none, in seconds.
const DEFAULT_LIFETIME_S: u32 = 3_600;

/// Fetches a document that needs no authorization. `check` names it in failures.
pub(super) async fn get(outside: &Outside, url: &str, check: &'static str) -> Result<Answer, Failure> {
    let request = outside.get(url)?.header(ACCEPT, "application/json");
    get_by(request, check).await
}

/// Fetches a document with an access token (RFC 6750 §2.1).
pub(super) async fn get_with_token(
    outside: &Outside,
    url: &str,
    access_token: &str,
    headers: &BTreeMap<String, String>,
    check: &'static str,
) -> Result<Answer, Failure> {
    let mut request = outside.get(url)?.header(ACCEPT, "application/json").bearer_auth(access_token);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    get_by(request, check).await
}

async fn get_by(request: RequestBuilder, check: &'static str) -> Result<Answer, Failure> {
    let answer = send(request.header(USER_AGENT, PROGRAM)).await?;
    expect_no_failure(&answer)?;
    if !answer.status.is_success() {
        return Err(Failure::because(check, format!("status {}", answer.status.as_u16())));
    }
    Ok(answer)
}

/// Redirects are not followed; server errors and refusals for the number of requests mean that the provider is
/// unavailable.
pub(super) fn expect_no_failure(answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    if status.is_redirection() {
        return Err(Failure::because("redirect", format!("status {}: redirects are not followed", status.as_u16())));
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Failure::Unavailable(format!("status {}", status.as_u16())));
    }
    Ok(())
}

/// The body as a JSON object.
pub(super) fn json_object(answer: &Answer, check: &'static str) -> Result<Value, Failure> {
    let value: Value =
        serde_json::from_slice(&answer.body).map_err(|_| Failure::because(check, "the response is not JSON"))?;
    if value.is_object() { Ok(value) } else { Err(Failure::because(check, "the response is not a JSON object")) }
}

/// How long a response may be reused, in seconds (RFC 9111 §5.2.2).
pub(super) fn lifetime_s(answer: &Answer) -> u32 {
    let Some(directives) = answer.headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()) else {
        return DEFAULT_LIFETIME_S;
    };
    let directives = directives.to_ascii_lowercase();
    let mut directives = directives.split(',').map(str::trim);
    let max_age = directives.clone().find_map(|directive| directive.strip_prefix("max-age="));
    if directives.any(|directive| matches!(directive, "no-store" | "no-cache")) {
        return 0;
    }
    max_age.map_or(DEFAULT_LIFETIME_S, |seconds| seconds.trim_matches('"').parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn the_lifetime_is_that_of_cache_control() {
        for (header, expected) in [
            ("", DEFAULT_LIFETIME_S),
            ("public, max-age=21600, must-revalidate", 21_600),
            ("Max-Age=7", 7),
            ("max-age=\"7\"", 7),
            ("max-age=99999999999", 0),
            ("max-age=60, no-store", 0),
            ("s-maxage=9", DEFAULT_LIFETIME_S),
        ] {
            let mut headers = HeaderMap::new();
            if !header.is_empty() {
                headers.insert(CACHE_CONTROL, header.parse().unwrap());
            }
            let answer = Answer { status: StatusCode::OK, headers, body: Vec::new() };
            assert_eq!(lifetime_s(&answer), expected, "{header}");
        }
    }
}
