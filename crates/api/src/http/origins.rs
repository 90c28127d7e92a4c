//! The origins whose pages may call the server, and the checks against requests that pages of other sites make.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::id::SessionId;
use denizen_domain::ports::Vault;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::cookies;
use super::problem::Problem;
use crate::config::{Config, origin};

const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How much of a header the log quotes.
const LOGGED_CHARS_MAX: usize = 128;

/// The server's own origin, and those that configuration names. In development, every loopback origin counts as named.
#[derive(Debug)]
pub(crate) struct Origins {
    own: Option<String>,
    named: Vec<String>,
    admits_loopback: bool,
}

/// Why a request by cookies is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The browser says that a page of another site made the request.
    CrossSite,
    /// The page's origin is not one of ours.
    Origin,
    /// The request shows no CSRF token.
    NoToken,
    /// The CSRF token is not that of the session.
    WrongToken,
}

impl Origins {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            own: origin::of_url(&config.server.public_url()),
            named: config.server.cors_origins.clone(),
            admits_loopback: config.app_env.is_dev(),
        }
    }

    /// Whether no page of another origin may call, whichever it is.
    pub(crate) fn are_closed(&self) -> bool {
        self.named.is_empty() && !self.admits_loopback
    }

    /// The request's origin, when it is one whose pages may read the server's answers.
    pub(crate) fn readable<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut values = headers.get_all(ORIGIN).iter();
        let origin = values.next().filter(|_| values.next().is_none())?;
        self.is_named(origin).then_some(origin)
    }

    /// Whether every origin that a request names is the server's own or a named one.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let is_own = |origin: &HeaderValue| self.own.as_deref().is_some_and(|own| own.as_bytes() == origin.as_bytes());
        headers.get_all(ORIGIN).iter().all(|origin| is_own(origin) || self.is_named(origin))
    }

    /// Refuses a request that a page of another site made. Browsers say so themselves, in headers that no page can
    /// forge; other clients send neither header.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        self.check_site(headers).map_err(|refusal| refusal.logged(headers))
    }

    /// Refuses a change by cookies that does not come from a page of ours that knows the session's CSRF token.
    pub(crate) fn check_change(
        &self,
        vault: &dyn Vault,
        session: SessionId,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let checked = self.check_site(headers).and_then(|()| check_token(vault, session, headers));
        checked.map_err(|refusal| refusal.logged(headers))
    }

    fn check_site(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_near = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"same-site" | b"none");
        if !headers.get_all(SEC_FETCH_SITE).iter().all(is_near) {
            return Err(Refusal::CrossSite);
        }
        if self.admit(headers) { Ok(()) } else { Err(Refusal::Origin) }
    }

    fn is_named(&self, origin: &HeaderValue) -> bool {
        let is_loopback = || self.admits_loopback && origin.to_str().is_ok_and(origin::is_loopback);
        self.named.iter().any(|named| named.as_bytes() == origin.as_bytes()) || is_loopback()
    }
}

fn check_token(vault: &dyn Vault, session: SessionId, headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = headers.get(X_CSRF_TOKEN).filter(|value| !value.is_empty()).ok_or(Refusal::NoToken)?;
    let sent = URL_SAFE_NO_PAD.decode(sent).map_err(|_| Refusal::WrongToken)?;
    let expected = cookies::csrf_code(vault, session);
    verify_slices_are_equal(&sent, &expected).map_err(|_| Refusal::WrongToken)
}

impl Refusal {
    /// The problem, after the log line that names the failed check and the headers it looked at.
    fn logged(self, headers: &HeaderMap) -> Problem {
        let text = |name: &HeaderName| {
            let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
            value.map(|value| value.chars().take(LOGGED_CHARS_MAX).collect::<String>()).unwrap_or_default()
        };
        let (check, message) = self.described();
        let (origin, site) = (text(&ORIGIN), text(&SEC_FETCH_SITE));
        tracing::info!(check, ?origin, sec_fetch_site = ?site, "cookie-authenticated request rejected");
        Problem::new(StatusCode::FORBIDDEN, "csrf_failed", message)
    }

    /// The name of the check in the log, and the message for the client.
    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::CrossSite => (
                "cross_site",
                "This is a cross-site request (Sec-Fetch-Site), and cookies are only accepted from pages of the same \
                 site. Call from a page of the same site, or use tokens instead of cookies.",
            ),
            Self::Origin => (
                "origin",
                "The Origin of this request is not allowed to use cookies. Add it to server.cors_origins, or call from \
                 a page of server.public_url.",
            ),
            Self::NoToken => (
                "csrf_token_missing",
                "Requests that change data with cookies require the session's CSRF token in X-CSRF-Token. Get it from \
                 GET /api/v1/sessions/csrf-token.",
            ),
            Self::WrongToken => (
                "csrf_token_wrong",
                "The X-CSRF-Token does not match the session. Get it from GET /api/v1/sessions/csrf-token.",
            ),
        }
    }
}
