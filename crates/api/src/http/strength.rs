//! The strength of a chosen password, told to whoever chose it.

use std::convert::Infallible;

use axum::response::{IntoResponseParts, ResponseParts};
use denizen_domain::credentials::Strength;
use http::{HeaderName, HeaderValue};

/// The header that tells it.
pub(crate) const PASSWORD_STRENGTH: HeaderName = HeaderName::from_static("password-strength");

/// Tells the strength in a header of the one answer: it is kept nowhere, not for an idempotent replay either.
pub(super) struct PasswordStrength(pub(super) Strength);

impl IntoResponseParts for PasswordStrength {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        response.headers_mut().insert(PASSWORD_STRENGTH, HeaderValue::from_static(self.0.as_str()));
        Ok(response)
    }
}
