//! Web origins as browsers send them.

use std::net::Ipv6Addr;

/// The longest scheme and host together, in bytes.
const ORIGIN_BYTES_MAX: usize = 300;
/// The ports that browsers leave out of an origin, by scheme (RFC 6454 §6.2).
const DEFAULT_PORTS: [(&str, u16); 4] = [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];

/// The origin `scheme://host[:port]` in the one form that browsers send: lower case, without the default port of its
/// scheme. Any scheme will do: applications in a web view have their own, like `capacitor` and `tauri`. `None` for
/// anything with a path, user information, a wildcard, or letters outside ASCII (browsers send internationalised names
/// as `xn--`).
pub(crate) fn normalize(text: &str) -> Option<String> {
    if text.len() > ORIGIN_BYTES_MAX {
        return None;
    }
    let (scheme, authority) = text.split_once("://")?;
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = split_port(authority)?;
    let port = port.filter(|port| !DEFAULT_PORTS.contains(&(scheme.as_str(), *port)));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{}{port}", normalize_host(host)?))
}

/// The origin of an absolute URL.
pub(crate) fn of_url(url: &str) -> Option<String> {
    let host_at = url.find("://")? + 3;
    let end = url[host_at..].find('/').map_or(url.len(), |at| host_at + at);
    normalize(&url[..end])
}

/// The host and the origin of pages at an absolute URL, for passkeys. A loopback address is called `localhost`: browsers do
/// not create passkeys for addresses.
pub(crate) fn of_pages(url: &str) -> Option<(String, String)> {
    let origin = of_url(url)?;
    let (scheme, authority) = origin.split_once("://")?;
    let (host, port) = split_port(authority)?;
    if !is_loopback(&origin) || host.ends_with("localhost") {
        return Some((host.to_owned(), origin.clone()));
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(("localhost".to_owned(), format!("{scheme}://localhost{port}")))
}

/// Whether pages of this origin come from the machine that the browser runs on.
pub(crate) fn is_loopback(origin: &str) -> bool {
    let Some(origin) = normalize(origin) else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let Some((host, _)) = split_port(authority) else { return false };
    let is_loopback_address =
        host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    matches!(scheme, "http" | "https") && (host == "localhost" || host.ends_with(".localhost") || is_loopback_address)
}

/// The host, and the port if there is one; `None` when what follows the host is no port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match authority.find(']') {
        Some(end) => end + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_end);
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0)?)
        }
        _ => return None,
    };
    Some((host, port))
}

fn normalize_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_host_byte)).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, normalize, of_pages, of_url};

    #[test]
    fn an_origin_is_compared_in_the_form_that_browsers_send() {
        for (text, expected) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://app.example.org:443", "https://app.example.org"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("https://localhost:80", "https://localhost:80"),
            ("http://localhost:03000", "http://localhost:3000"),
            ("HTTPS://App.Example.com:8443", "https://app.example.com:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("http://tauri.localhost", "http://tauri.localhost"),
            ("app.product-1+x://ui", "app.product-1+x://ui"),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ),
            (
                "moz-extension://0f2a6f0c-0000-4000-8000-000000000000",
                "moz-extension://0f2a6f0c-0000-4000-8000-000000000000",
            ),
        ] {
            assert_eq!(normalize(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://*.example.com",
            "https://app.*",
            "*://app.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com?x",
            "https://user@app.example.com",
            "https://",
            "://app.example.com",
            "1a://x",
            "https://app.example.com:",
            "https://app.example.com:0",
            "https://app.example.com:65536",
            "https://app.example.com:8a",
            "https://[::1",
            "https://[::1]x",
            "https://[app]",
            "https://bücher.example",
            "https://app.example.com ",
            "https://a\n",
            "https://a,https://b",
        ] {
            assert_eq!(normalize(text), None, "{text}");
        }
        assert_eq!(normalize(&format!("https://{}", "a".repeat(300))), None);
    }

    #[test]
    fn an_origin_is_a_url_without_its_path() {
        for (url, expected) in [
            ("https://id.example.com", "https://id.example.com"),
            ("https://ID.example.com:8443/accounts", "https://id.example.com:8443"),
            ("https://example.com:443/auth", "https://example.com"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(of_url(url).as_deref(), Some(expected));
        }
    }

    #[test]
    fn pages_on_a_loopback_address_are_called_localhost() {
        for (url, host, origin) in [
            ("https://id.example.com/auth", "id.example.com", "https://id.example.com"),
            ("http://127.0.0.1:8080", "localhost", "http://localhost:8080"),
            ("http://[::1]:8080", "localhost", "http://localhost:8080"),
            ("http://localhost:3000", "localhost", "http://localhost:3000"),
            ("http://10.0.0.1", "10.0.0.1", "http://10.0.0.1"),
        ] {
            assert_eq!(of_pages(url), Some((host.to_owned(), origin.to_owned())), "{url}");
        }
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for origin in [
            "http://localhost",
            "http://localhost:3000",
            "https://localhost:5173",
            "http://app.localhost:8081",
            "http://127.0.0.1:4200",
            "http://127.1.2.3",
            "http://[::1]:3000",
        ] {
            assert!(is_loopback(origin), "{origin}");
        }
        for origin in [
            "null",
            "http://localhost.example.com",
            "http://notlocalhost",
            "https://127.0.0.1.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0:3000",
            "http://[::2]",
            "capacitor://localhost",
            "chrome-extension://localhost",
            "",
        ] {
            assert!(!is_loopback(origin), "{origin}");
        }
    }
}
