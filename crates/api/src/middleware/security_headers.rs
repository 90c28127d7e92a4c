//! The security headers of every response (OWASP Secure Headers), by the kind of what the browser gets.

use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// The part of the server that a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    /// The documentation of the API.
    Documentation,
    /// Everything else.
    Rest,
}

/// What a browser gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Data, scripts and styles: nothing that is shown as a page.
    Data,
    /// A redirect, such as to an outside provider and back to an application.
    Redirect,
    /// A page for users: the sign-in page, the pages behind mailed links, errors, the start page.
    Page,
    /// The documentation of the API.
    Documentation,
}

/// The policies that differ by kind: for content, for windows that open each other, and for features of the browser.
struct Row {
    content: &'static str,
    opener: Option<&'static str>,
    permissions: Option<&'static str>,
}

impl Kind {
    const fn row(self) -> Row {
        match self {
            // Nothing is loaded, run or framed.
            Self::Data | Self::Redirect => Row {
                content: "default-src 'none'; frame-ancestors 'none'",
                // On a redirect it would cut the application off from a window that it opened for the sign-in.
                opener: None,
                permissions: None,
            },
            // Scripts and styles are files of the server, and call the API. The QR code of an enrolment and the empty icon
            // are images in `data:` URLs. No form is posted: with `no-referrer`, its `Origin` would be `null`.
            Self::Page => Row {
                content: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
                     require-trusted-types-for 'script'",
                opener: Some("same-origin"),
                permissions: Some(
                    "publickey-credentials-create=(self), publickey-credentials-get=(self), camera=(), \
                     display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
                ),
            },
            // Swagger UI sets styles by attributes.
            Self::Documentation => Row {
                content: "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                     img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
                     form-action 'none'",
                opener: Some("same-origin"),
                permissions: None,
            },
        }
    }

    fn of(response: &Response, area: Area) -> Self {
        let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if response.status().is_redirection() && content_type.is_none() {
            Self::Redirect
        } else if area == Area::Documentation {
            Self::Documentation
        } else if content_type.is_some_and(|kind| kind.starts_with(b"text/html")) {
            Self::Page
        } else {
            Self::Data
        }
    }
}

impl Area {
    pub(super) fn of(path: &str) -> Self {
        if path == "/docs" || path.starts_with("/docs/") { Self::Documentation } else { Self::Rest }
    }
}

/// Sets the headers.
pub(super) fn lay(response: &mut Response, area: Area) {
    let row = Kind::of(response, area).row();
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(row.content));
    let optional = [(CROSS_ORIGIN_OPENER_POLICY, row.opener), (PERMISSIONS_POLICY, row.permissions)];
    for (name, value) in optional {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // URLs contain tokens of mailed links and codes of providers: no site is sent them, not even this one.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Browsers ignore it on plain HTTP; behind TLS it holds.
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    // Accounts are personal: what does not say otherwise is kept by no cache in between.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
}

#[cfg(test)]
mod tests {
    use axum::response::{Html, IntoResponse, Redirect, Response};
    use http::StatusCode;

    use super::{Area, lay};

    #[test]
    fn headers_fit_the_kind_of_a_response() {
        let check = |path: &str, mut response: Response, policy: &str, has_opener: bool, is_page: bool| {
            lay(&mut response, Area::of(path));
            let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let found = header("content-security-policy").unwrap();
            assert!(found.starts_with("default-src 'none'; ") && found.contains("frame-ancestors 'none'"), "{found}");
            assert!(found.contains(policy), "{path}: {found}");
            assert_eq!(header("cross-origin-opener-policy").is_some(), has_opener, "{path}");
            let permissions = header("permissions-policy");
            assert_eq!(permissions.is_some_and(|all| all.contains("publickey-credentials-get=(self)")), is_page);
            assert_eq!(header("referrer-policy").as_deref(), Some("no-referrer"));
            assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
        };
        let page = || Html("<p>").into_response();
        let none = "'none'; frame-ancestors 'none'";
        check("/api/v1/me", axum::Json(1).into_response(), none, false, false);
        check("/account/page.js", StatusCode::NOT_MODIFIED.into_response(), none, false, false);
        check("/api/v1/auth/x", Redirect::to("https://a.example").into_response(), none, false, false);
        check("/account/sign-in", page(), "require-trusted-types-for 'script'", true, true);
        check("/api/v1/auth/x/callback", page(), "form-action 'none'", true, true);
        check("/", page(), "style-src 'self';", true, true);
        check("/docs/", page(), "style-src 'self' 'unsafe-inline'", true, false);
        check("/docs", Redirect::to("/docs/").into_response(), none, false, false);
    }
}
