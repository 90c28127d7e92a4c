//! Entity tags (RFC 9110 §8.8.3), and the conditions on them.

use axum::response::{IntoResponse, Response};
use denizen_domain::api_keys::ApiKey;
use denizen_domain::error::FieldError;
use denizen_domain::users::User;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::problem::Problem;

/// The tag of a user: the version, then the last sign-in, which shows in the representation without being a
/// change. `If-Match` compares the version alone: a sign-in in between is not a lost update.
pub(crate) fn of_user(user: &User) -> String {
    let signed_in_at = user.last_sign_in_at.map_or(0, denizen_domain::time::Timestamp::as_micros);
    format!("\"{}.{signed_in_at:x}\"", user.version)
}

/// The tag of an API key: the version, then the last use, which shows in the representation without being a change.
pub(crate) fn of_api_key(key: &ApiKey) -> String {
    let used_at = key.last_used_at.map_or(0, denizen_domain::time::Timestamp::as_micros);
    format!("\"{}.{used_at:x}\"", key.version)
}

/// The tag of a thing that shows its version and nothing that changes besides.
pub(crate) fn of_version(version: i64) -> String {
    format!("\"{version}\"")
}

/// The versions that `If-Match` names; `None` when it is absent or `*`.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Vec<i64>>, Problem> {
    let mut versions = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        let malformed = || FieldError::new("If-Match", "malformed", "must be the ETag of the resource, or *");
        let text = value.to_str().map_err(|_| malformed())?;
        if text.trim() == "*" {
            return Ok(None);
        }
        for tag in text.split(',') {
            versions.push(version_of(tag).ok_or_else(malformed)?);
        }
    }
    Ok(if headers.contains_key(IF_MATCH) { Some(versions) } else { None })
}

/// The version that a tag names; `None` when it is no tag. A weak tag and a tag we never made match nothing (RFC 9110
/// §13.1.1).
pub(crate) fn version_of(tag: &str) -> Option<i64> {
    let tag = tag.trim();
    let is_weak = tag.starts_with("W/");
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let opaque = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'))?;
    let version = opaque.split('.').next().and_then(|version| version.parse().ok()).filter(|_| !is_weak);
    Some(version.unwrap_or(-1))
}

/// A representation with its tag, or 304 when the client has it already.
pub(crate) fn respond(headers: &HeaderMap, tag: &str, body: impl IntoResponse) -> Response {
    let is_known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|text| {
        text.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
    });
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::if_match;
    use http::HeaderMap;

    fn check(header: &str, expected: Option<&[i64]>) {
        let headers = HeaderMap::from_iter([(http::header::IF_MATCH, header.parse().unwrap())]);
        assert_eq!(if_match(&headers).unwrap().as_deref(), expected, "{header}");
    }

    #[test]
    fn tags_are_read_as_versions() {
        check("*", None);
        check("\"3.5f2\"", Some(&[3]));
        check("\"3.0\", \"4.0\"", Some(&[3, 4]));
        check("W/\"3.0\"", Some(&[-1]));
        check("\"unknown\"", Some(&[-1]));
        assert!(if_match(&HeaderMap::from_iter([(http::header::IF_MATCH, "3".parse().unwrap())])).is_err());
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
    }
}
