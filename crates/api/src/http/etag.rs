//! Entity tags (RFC 9110 §8.8.3), and the conditions on them.

use axum::response::{IntoResponse, Response};
use denizen_domain::api_keys::ApiKey;
use denizen_domain::error::FieldError;
use denizen_domain::users::User;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::problem::Problem;

/// What no resource has as its version.
const NO_VERSION: i64 = -1;
const ENCODING_SUFFIXES: [&str; 4] = ["-gzip", "-br", "-zstd", ";gzip"];

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

/// The version that a tag names; `None` when it is no tag. A tag that this server never makes matches no version.
///
/// Proxies that compress mark our strong tags as weak or add the encoding to them, and clients send back what they got. A
/// version stands for all of a resource, so such a tag still names it, although RFC 9110 §13.1.1 compares strongly.
pub(crate) fn version_of(tag: &str) -> Option<i64> {
    let tag = tag.trim();
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let opaque = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).filter(|tag| !tag.contains('"'))?;
    Some(own_version(without_encoding(opaque)).unwrap_or(NO_VERSION))
}

/// The version in a tag of the form that [`of_user`], [`of_api_key`] and [`of_version`] write.
fn own_version(opaque: &str) -> Option<i64> {
    let (version, rest) = opaque.split_once('.').map_or((opaque, None), |(version, rest)| (version, Some(rest)));
    let is_moment = |rest: &str| {
        let is_hex = rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex && (1..=16).contains(&rest.len()) && (rest == "0" || !rest.starts_with('0'))
    };
    let number: i64 = version.parse().ok()?;
    (number.to_string() == version && rest.is_none_or(is_moment)).then_some(number)
}

/// The tag without what Apache's `mod_deflate` and `mod_brotli` add to it.
fn without_encoding(opaque: &str) -> &str {
    ENCODING_SUFFIXES.iter().find_map(|suffix| opaque.strip_suffix(suffix)).unwrap_or(opaque)
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
        check("W/\"3.0\"", Some(&[3]));
        check("W/\"3\"", Some(&[3]));
        check("\"3.5f2-gzip\", W/\"4-br\"", Some(&[3, 4]));
        for foreign in [
            "2.garbage",
            "2.",
            "2.00",
            "2.0.0",
            "2.-1",
            "2.5F2",
            "+2",
            "02",
            " 2",
            "-gzip",
            "",
            "2-x",
            "2.12345678901234567",
        ] {
            check(&format!("\"{foreign}\""), Some(&[-1]));
        }
        check("\"unknown\"", Some(&[-1]));
        assert!(if_match(&HeaderMap::from_iter([(http::header::IF_MATCH, "3".parse().unwrap())])).is_err());
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
    }
}
