//! Where browsers may be sent after a sign-in at a provider.

use url::{Host, Url};

/// The longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// The URLs that a sign-in may end at. Compared exactly (RFC 9700 §2.1), but for the query, and for the port of loopback
/// addresses (RFC 8252 §7.3).
#[derive(Debug, Clone, Default)]
pub struct Redirects {
    listed: Vec<Url>,
    /// The sign-in page of this server.
    own: Option<Url>,
}

impl Redirects {
    /// An allow-list.
    #[must_use]
    pub fn new(listed: Vec<Url>) -> Self {
        Self { listed, own: None }
    }

    /// The same with the sign-in page of this server, which needs no entry in the list.
    #[must_use]
    pub fn with_own_page(self, url: &str) -> Self {
        Self { own: Self::parse(url), ..self }
    }

    /// Reads a URL of the list: absolute, without user, fragment and query, and of a scheme that runs no code.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Url> {
        let url = parse(raw)?;
        url.query().is_none().then_some(url)
    }

    /// Whether the URL is one of the list, and has no query. For URLs of which nothing may differ.
    #[must_use]
    pub fn contain(&self, raw: &str) -> bool {
        Self::parse(raw).is_some_and(|url| self.listed.iter().any(|listed| is_same(listed, &url)))
    }

    /// Whether a sign-in may end at this URL.
    #[must_use]
    pub fn allow(&self, raw: &str) -> bool {
        parse(raw).is_some_and(|url| self.allow_parsed(&url))
    }

    /// Where the sign-in page may send the browser afterwards: a URL of the list, or one of this server, of which the path is
    /// sufficient.
    #[must_use]
    pub fn target(&self, raw: &str) -> Option<String> {
        let own = self.own.as_ref()?;
        // Browsers read a backslash as a slash: what follows could be another host.
        let is_path = raw.starts_with('/') && !raw.contains('\\');
        let url = if is_path { parse(own.join(raw).ok()?.as_str())? } else { parse(raw)? };
        let is_allowed = url.origin() == own.origin() || self.listed.iter().any(|listed| is_same(listed, &url));
        is_allowed.then(|| url.into())
    }

    fn allow_parsed(&self, url: &Url) -> bool {
        // The port of the own page is fixed, on loopback addresses too.
        let is_own = |own: &Url| own.origin() == url.origin() && own.path() == url.path();
        self.own.as_ref().is_some_and(is_own) || self.listed.iter().any(|listed| is_same(listed, url))
    }
}

fn parse(raw: &str) -> Option<Url> {
    // The parser of URLs forgives what a browser might read in another way.
    let is_plain = raw.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
    if raw.len() > URL_BYTES_MAX || !is_plain {
        return None;
    }
    let url = Url::parse(raw).ok()?;
    let runs_code = matches!(url.scheme(), "javascript" | "data" | "blob" | "file" | "vbscript" | "about");
    let has_user = !url.username().is_empty() || url.password().is_some();
    let has_host = url.has_host() || !matches!(url.scheme(), "http" | "https");
    (!runs_code && !has_user && has_host).then_some(url)
}

fn is_same(allowed: &Url, url: &Url) -> bool {
    let is_loopback = match allowed.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    allowed.scheme() == url.scheme()
        && allowed.host() == url.host()
        && (is_loopback || allowed.port_or_known_default() == url.port_or_known_default())
        && allowed.path() == url.path()
}

/// The URL with one more parameter in its query.
#[must_use]
pub fn with_query(url: &str, name: &str, value: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) => {
            parsed.query_pairs_mut().append_pair(name, value);
            parsed.into()
        }
        // Only URLs of the allow-list come here, and they parse.
        Err(_) => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Redirects, with_query};

    fn redirects() -> Redirects {
        let urls = ["https://app.example.com/signed-in", "com.example.app://callback", "http://127.0.0.1/callback"];
        Redirects::new(urls.iter().map(|url| Redirects::parse(url).unwrap()).collect())
    }

    #[test]
    fn listed_urls_are_allowed_with_any_query() {
        for url in [
            "https://app.example.com/signed-in",
            "https://app.example.com/signed-in?next=%2Fhome",
            "https://app.example.com:443/signed-in",
            "com.example.app://callback",
            "http://127.0.0.1:49152/callback",
        ] {
            assert!(redirects().allow(url), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "",
            "/signed-in",
            "//app.example.com/signed-in",
            "https://app.example.com",
            "https://app.example.com/signed-in/",
            "https://app.example.com/signed-in/../admin",
            "https://app.example.com/signed-in%2f..%2fadmin",
            "https://app.example.com/signed-in#x",
            "https://app.example.com.evil.example/signed-in",
            "https://evil.example/?https://app.example.com/signed-in",
            "https://app.example.com@evil.example/signed-in",
            "https://user@app.example.com/signed-in",
            "https://app.example.com:8443/signed-in",
            "http://app.example.com/signed-in",
            "https://app.example.com\\@evil.example/signed-in",
            "https:/app.example.com\\signed-in",
            "https://app.example.com/signed-in\n",
            " https://app.example.com/signed-in",
            "javascript:alert(1)",
            "http://127.0.0.1.evil.example/callback",
            "http://localhost/callback",
            "http://127.0.0.2/callback",
            "com.example.app://other",
        ] {
            assert!(!redirects().allow(url), "{url:?}");
        }
    }

    #[test]
    fn a_url_with_a_query_is_not_contained() {
        assert!(redirects().contain("https://app.example.com/signed-in"));
        assert!(redirects().contain("http://127.0.0.1:49152/callback"));
        assert!(!redirects().contain("https://app.example.com/signed-in?next=x"));
        assert!(!redirects().contain("https://app.example.com/"));
    }

    #[test]
    fn the_own_page_is_allowed_at_its_own_port() {
        let own = Redirects::default().with_own_page("http://127.0.0.1:8080/account/sign-in");
        assert!(own.allow("http://127.0.0.1:8080/account/sign-in?return_to=%2F"));
        for url in [
            "http://127.0.0.1:8081/account/sign-in",
            "https://127.0.0.1:8080/account/sign-in",
            "http://127.0.0.1:8080/account/sign-in/",
            "http://127.0.0.1:8080/",
            "http://u@127.0.0.1:8080/account/sign-in",
        ] {
            assert!(!own.allow(url), "{url}");
        }
    }

    #[test]
    fn the_sign_in_page_leads_to_listed_urls_and_to_paths_of_the_server() {
        let redirects = redirects().with_own_page("https://id.example.com/account/sign-in");
        for (raw, expected) in [
            ("/docs/?a=b", "https://id.example.com/docs/?a=b"),
            ("https://app.example.com/signed-in?a=b", "https://app.example.com/signed-in?a=b"),
            ("com.example.app://callback", "com.example.app://callback"),
            ("https://id.example.com/docs/", "https://id.example.com/docs/"),
        ] {
            assert_eq!(redirects.target(raw).as_deref(), Some(expected), "{raw}");
        }
        for raw in [
            "",
            "docs",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil.example/",
            "/\t/evil.example/",
            "///evil.example",
            "http://id.example.com/docs/",
            "https://id.example.com:8443/docs/",
            "https://id.example.com@evil.example/",
            "https://app.example.com/other",
            "javascript:alert(1)",
            "/a#b",
        ] {
            assert_eq!(redirects.target(raw), None, "{raw:?}");
        }
        assert_eq!(Redirects::default().target("/docs/"), None);
    }

    #[test]
    fn a_listed_url_has_no_query_and_runs_no_code() {
        for url in ["https://app.example.com/?a=b", "javascript:alert(1)", "data:text/html,x", "nonsense", "https://"] {
            assert!(Redirects::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_parameter_is_added_encoded() {
        assert_eq!(with_query("https://a.example/b?c=d", "code", "x&y"), "https://a.example/b?c=d&code=x%26y");
        assert_eq!(
            with_query("com.example.app://callback", "error", "access_denied"),
            "com.example.app://callback?error=access_denied"
        );
    }
}
