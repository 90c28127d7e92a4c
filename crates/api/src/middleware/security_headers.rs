//! What browsers must be told on every answer (OWASP Secure Headers).

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

/// Nothing but data: an answer of the API loads, runs and frames nothing.
const DATA_ONLY: &str = "default-src 'none'; frame-ancestors 'none'";
/// The documentation brings its own scripts and styles.
const DOCUMENTATION: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The start page, the sign-in page and the pages behind the links of mails load their scripts and styles from here, and
/// call the API. The QR code of an enrolment is an image in a `data:` URL.
const ACCOUNT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

/// The content security policy of what lies at the path.
pub(super) fn policy_for(path: &str) -> &'static str {
    if path == "/docs" || path.starts_with("/docs/") {
        DOCUMENTATION
    } else if path == "/" || path.starts_with("/account/") {
        ACCOUNT
    } else {
        DATA_ONLY
    }
}

/// Lays the headers.
pub(super) fn lay(headers: &mut HeaderMap, policy: &'static str) {
    headers.reserve(8);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Browsers ignore it on plain HTTP; behind TLS it holds.
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    // Accounts are personal: what does not say otherwise is kept by no cache in between.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
}
