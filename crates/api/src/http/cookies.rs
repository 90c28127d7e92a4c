//! Cookies for browsers on the same site, beside bearer tokens. What keeps other sites' pages from using them is in
//! [`super::origins`].
//!
//! A page cannot read the cookies. Whoever changes something by them shows a CSRF token that only a page which may
//! read our answers can know: a code over the session's id, so nothing is kept for it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::Ctx;
use denizen_domain::id::SessionId;
use denizen_domain::ports::Vault;
use denizen_domain::sessions::{DEVICE_TTL_S, SignedIn};
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

const ACCESS: &str = "__Host-denizen_access";
const REFRESH: &str = "__Host-denizen_refresh";
/// Outlives the session: it opens nothing, and keeps the device known.
const DEVICE: &str = "__Host-denizen_device";
/// Bound to this host and the whole of it (the prefix `__Host-`), for TLS and not for scripts, and not sent along by
/// other sites except when a link leads here.
const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Lax";
/// Binds a sign-in at a provider to the browser that began it.
const FLOW: &str = "__Host-denizen_flow";
const CSRF_PURPOSE: &str = "csrf token";

/// Whether the request says nothing but cookies of who asks: a bearer token wins over them.
pub(crate) fn are_in_use(headers: &HeaderMap) -> bool {
    !headers.contains_key(AUTHORIZATION)
}

/// The access token among the cookies.
pub(crate) fn access_of(headers: &HeaderMap) -> Option<SecretString> {
    find(headers, ACCESS)
}

/// The refresh token among the cookies.
pub(crate) fn refresh_of(headers: &HeaderMap) -> Option<SecretString> {
    find(headers, REFRESH)
}

/// The device token among the cookies.
pub(crate) fn device_of(headers: &HeaderMap) -> Option<SecretString> {
    find(headers, DEVICE)
}

/// The token that binds a sign-in at a provider to this browser, among the cookies.
pub(crate) fn flow_of(headers: &HeaderMap) -> Option<SecretString> {
    find(headers, FLOW)
}

/// The cookie with that token.
pub(crate) fn flow(token: &SecretString, max_age_s: u32) -> (HeaderName, HeaderValue) {
    make(FLOW, token.expose_secret(), max_age_s)
}

/// What a page sends as `X-CSRF-Token` with every change.
pub(crate) fn csrf_token(ctx: &Ctx, session: SessionId) -> String {
    URL_SAFE_NO_PAD.encode(csrf_code(ctx.services().vault.as_ref(), session))
}

/// The tokens of a session, for the browser to keep where no script can read them.
pub(crate) fn made_of(signed_in: &SignedIn) -> Vec<(HeaderName, HeaderValue)> {
    let SignedIn { access_token, refresh_token, device_token, expires_in_s, session_expires_in_s, .. } = signed_in;
    let mut made = vec![
        make(ACCESS, access_token.expose_secret(), *expires_in_s),
        make(REFRESH, refresh_token.expose_secret(), *session_expires_in_s),
    ];
    made.extend(device_token.as_ref().map(|token| make(DEVICE, token.expose_secret(), DEVICE_TTL_S)));
    made
}

/// Nothing in their place; the device stays known.
pub(crate) fn cleared() -> [(HeaderName, HeaderValue); 2] {
    [make(ACCESS, "", 0), make(REFRESH, "", 0)]
}

fn make(name: &str, value: &str, max_age_s: u32) -> (HeaderName, HeaderValue) {
    let text = format!("{name}={value}; Max-Age={max_age_s}; {ATTRIBUTES}");
    let mut value = HeaderValue::try_from(text).expect("tokens are ASCII");
    value.set_sensitive(true);
    (SET_COOKIE, value)
}

/// The value of a cookie that is there once. Twice it would be somebody else's doing: the prefix forbids it.
fn find(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    let value = values.next().filter(|value| !value.is_empty());
    value.filter(|_| values.next().is_none()).map(SecretString::from)
}

/// The bytes of a session's CSRF token.
pub(super) fn csrf_code(vault: &dyn Vault, session: SessionId) -> [u8; 32] {
    vault.mac(CSRF_PURPOSE, session.as_uuid().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_once() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let headers = lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect();
            let found = access_of(&headers);
            assert_eq!(found.as_ref().map(ExposeSecret::expose_secret), expected, "{lines:?}");
        };
        check(&["a=1; __Host-denizen_access=x.y; b=2"], Some("x.y"));
        check(&["a=1", "__Host-denizen_access=x.y"], Some("x.y"));
        check(&["__Host-denizen_access=x=y"], Some("x=y"));
        check(&["__Host-denizen_access="], None);
        check(&["x__Host-denizen_access=x", "__host-denizen_access=x"], None);
        check(&["__Host-denizen_access=x; __Host-denizen_access=y"], None);
        check(&[], None);
    }
}
