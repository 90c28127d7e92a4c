//! Checks of URLs that keys and revocations come from.

/// Why a URL is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not an absolute HTTP URL, or has a user, a query or a fragment.
    #[error("{0:?} is not an absolute URL without a query")]
    Invalid(String),
    /// It is `http`, and its host is not the machine itself.
    #[error("{0:?} must use https; call allow_http() if the network is trusted")]
    Insecure(String),
}

/// A URL without trailing slashes, to append paths to. Keys that are fetched over plain HTTP can be replaced on the
/// path, so that only loopback addresses and explicitly trusted networks may use it.
pub(crate) fn base(url: &str, allows_http: bool) -> Result<String, UrlError> {
    let invalid = || UrlError::Invalid(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let is_printable = url.bytes().all(|byte| byte.is_ascii_graphic());
    if authority.is_empty() || !is_printable || url.contains(['?', '#', '@', '\\']) {
        return Err(invalid());
    }
    match scheme {
        "https" => {}
        "http" if allows_http || is_loopback(authority) => {}
        "http" => return Err(UrlError::Insecure(url.to_owned())),
        _ => return Err(invalid()),
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{UrlError, base};

    #[test]
    fn https_and_loopback_are_accepted() {
        let check = |url: &str, expected: &str| assert_eq!(base(url, false).as_deref(), Ok(expected), "{url}");
        check("https://accounts.example.com", "https://accounts.example.com");
        check("https://example.com/auth/", "https://example.com/auth");
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080");
        check("http://[::1]:8080/", "http://[::1]:8080");
        check("http://localhost", "http://localhost");
    }

    #[test]
    fn other_urls_are_refused() {
        let check = |url: &str| assert_eq!(base(url, true), Err(UrlError::Invalid(url.to_owned())), "{url}");
        for url in
            ["", "example.com", "ftp://a", "https://", "https://a?b", "https://a#b", "https://u:p@a", "https://a b"]
        {
            check(url);
        }
    }

    #[test]
    fn plain_http_needs_consent() {
        for url in ["http://accounts.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com"] {
            assert_eq!(base(url, false), Err(UrlError::Insecure(url.to_owned())));
            assert!(base(url, true).is_ok());
        }
    }
}
