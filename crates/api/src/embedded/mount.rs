//! The path under which an application mounts the server.

use crate::middleware::path_of;

/// The largest number of bytes of a path.
const BYTES_MAX: usize = 128;

/// A path such as `/auth`: it begins with a slash, does not end with one, and needs no encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MountPath(String);

impl MountPath {
    /// `None` if the path has another form.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.');
        let is_segment = |text: &str| !text.is_empty() && text != "." && text != ".." && text.bytes().all(is_plain);
        let is_valid = raw.len() <= BYTES_MAX && raw.strip_prefix('/')?.split('/').all(is_segment);
        is_valid.then(|| Self(raw.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The public URL of a server that is mounted here: the path is added unless the URL already ends with it.
    pub(super) fn below(&self, url: &str) -> String {
        if path_of(url).ends_with(&self.0) { url.to_owned() } else { format!("{url}{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::MountPath;

    #[test]
    fn a_path_has_plain_segments() {
        for valid in ["/auth", "/a/b-c/v1.2", "/~x_"] {
            assert_eq!(MountPath::parse(valid).unwrap().as_str(), valid);
        }
        for invalid in ["", "/", "auth", "/auth/", "//auth", "/a//b", "/{id}", "/a b", "/ä", "/a/../b", "/*rest"] {
            assert_eq!(MountPath::parse(invalid), None, "{invalid}");
        }
        assert_eq!(MountPath::parse(&format!("/{}", "a".repeat(128))), None);
    }

    #[test]
    fn the_public_url_ends_with_the_path_once() {
        let path = MountPath::parse("/auth").unwrap();
        for (url, expected) in [
            ("https://example.com", "https://example.com/auth"),
            ("https://example.com/auth", "https://example.com/auth"),
            ("https://example.com/api", "https://example.com/api/auth"),
            ("https://example.com/api/auth", "https://example.com/api/auth"),
            ("http://auth", "http://auth/auth"),
        ] {
            assert_eq!(path.below(url), expected);
        }
    }
}
