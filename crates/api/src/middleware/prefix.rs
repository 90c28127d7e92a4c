//! The path of the public URL: what clients are sent to lies below it, while a proxy in front takes it off requests.

use http::header::{LINK, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The path of a URL, without a slash at its end: `/auth` for `https://example.com/auth`, empty for a bare origin.
pub(crate) fn path_of(url: &str) -> &str {
    let Some(host_at) = url.find("://").map(|at| at + 3) else { return "" };
    url[host_at..].find('/').map_or("", |at| url[host_at + at..].trim_end_matches('/'))
}

/// Lays the prefix on the addresses of `Location` and `Link` that are absolute paths.
pub(super) fn lay(headers: &mut HeaderMap, prefix: &str) {
    if prefix.is_empty() {
        return;
    }
    lay_on(headers, LOCATION, "/", prefix);
    lay_on(headers, LINK, "</", prefix);
}

fn lay_on(headers: &mut HeaderMap, name: HeaderName, start: &str, prefix: &str) {
    let Some(text) = headers.get(&name).and_then(|value| value.to_str().ok()) else { return };
    // Two slashes begin a host (RFC 3986 §4.2).
    let Some(rest) = text.strip_prefix(start).filter(|rest| !rest.starts_with('/')) else { return };
    let open = start.trim_end_matches('/');
    if let Ok(value) = HeaderValue::try_from(format!("{open}{prefix}/{rest}")) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_the_path_of_the_url() {
        for (url, expected) in
            [("https://example.com", ""), ("https://example.com:8443/auth", "/auth"), ("http://[::1]:8080/a/b", "/a/b")]
        {
            assert_eq!(path_of(url), expected);
        }
    }

    #[test]
    fn absolute_paths_move_below_the_prefix() {
        let check = |name: HeaderName, value: &'static str, expected: &str| {
            let mut headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
            lay(&mut headers, "/auth");
            assert_eq!(headers[&name], expected);
        };
        check(LOCATION, "/api/v1/users/1", "/auth/api/v1/users/1");
        check(LOCATION, "https://example.com/x", "https://example.com/x");
        check(LOCATION, "//evil.example/x", "//evil.example/x");
        check(LINK, "</api/v1/users?after=x>; rel=\"next\"", "</auth/api/v1/users?after=x>; rel=\"next\"");
        check(LINK, "<https://example.com/x>; rel=\"next\"", "<https://example.com/x>; rel=\"next\"");
    }
}
