//! Proofs of native applications: an ID token, or an authorization code that the application obtained from the provider
//! itself. Both are bound to a nonce of this server, which can be used once.

use secrecy::{ExposeSecret, SecretString};

use super::begin::open_nonce;
use super::callback::{refused, settle};
use super::code::PREFIX;
use crate::budgets;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::flows::Flow;
use crate::providers::{CodeBinding, NativeGrant, OutsideIdentity, Provider, Redeemed, Redirects, callback_of};

/// The longest authorization code, in bytes.
const CODE_BYTES_MAX: usize = 4_096;
/// The length of a PKCE verifier (RFC 7636 §4.1), in bytes.
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// An authorization code of a provider, with the parameters of the request by which the application obtained it.
#[derive(Debug)]
pub struct NativeCode {
    /// The code that the provider issued. Not one of the browser flow, which this server issues.
    pub code: SecretString,
    /// The PKCE verifier of the application (RFC 7636 §4.1).
    pub code_verifier: Option<SecretString>,
    /// The redirect URI of the request: one of the provider's `native_redirect_urls`. Absent for codes of an SDK.
    pub redirect_uri: Option<String>,
    /// The client id of the request: that of the provider's settings if absent, or one of its `native_client_ids`.
    pub client_id: Option<String>,
}

/// The identity in an ID token, and the flow of its nonce.
pub(super) async fn by_id_token(
    ctx: &Ctx,
    provider: &Provider,
    id_token: &SecretString,
    nonce: &SecretString,
) -> Result<(OutsideIdentity, Flow)> {
    let flow = open_nonce(ctx, &provider.name, nonce).ok_or_else(refused)?;
    // Each try costs signature checks, and perhaps a request to the provider.
    let admitted = budgets::admit_client(ctx).await?;
    let identity = ctx.services().federation.verify_id_token(provider, id_token, nonce.expose_secret()).await;
    Ok((settle(ctx, admitted, identity).await?, flow))
}

/// The identity that the provider issued a code for, its tokens, and the flow of the nonce.
pub(super) async fn by_code(
    ctx: &Ctx,
    provider: &Provider,
    native: &NativeCode,
    nonce: &SecretString,
) -> Result<(Redeemed, Flow)> {
    check(ctx, provider, native)?;
    let flow = open_nonce(ctx, &provider.name, nonce).ok_or_else(refused)?;
    let grant = NativeGrant {
        code: &native.code,
        client_id: native.client_id_at(provider),
        redirect_uri: native.redirect_uri.as_deref(),
        nonce: nonce.expose_secret(),
        code_verifier: native.code_verifier.as_ref(),
    };
    // Each try costs a request to the provider.
    let admitted = budgets::admit_client(ctx).await?;
    let redeemed = ctx.services().federation.redeem_native(provider, &grant).await;
    Ok((settle(ctx, admitted, redeemed).await?, flow))
}

impl NativeCode {
    fn client_id_at<'a>(&'a self, provider: &'a Provider) -> &'a str {
        self.client_id.as_deref().unwrap_or(&provider.settings.client_id)
    }
}

/// Checks everything that the provider need not be asked for.
fn check(ctx: &Ctx, provider: &Provider, native: &NativeCode) -> Result<()> {
    let client_id = native.client_id_at(provider);
    let binding = ctx.services().federation.code_binding(provider, client_id);
    let settings = &provider.settings;
    let mut faults = Vec::new();
    faults.extend(code_fault(native.code.expose_secret(), binding));
    faults.extend(verifier_fault(native.code_verifier.as_ref(), binding));
    if !settings.has_client(client_id) {
        let message = "must be the client_id of the provider, or one of its native_client_ids";
        faults.push(FieldError::new("client_id", "invalid_value", message));
    }
    let listed = settings.native_redirect_urls.iter().filter_map(|url| Redirects::parse(url)).collect();
    let listed = Redirects::new(listed);
    // Codes of the browser flow are redeemed by the browser flow only.
    let is_listed = |uri: &str| listed.contain(uri) && uri != callback_of(ctx, &provider.name);
    if native.redirect_uri.as_deref().is_some_and(|uri| !is_listed(uri)) {
        let message = "must be one of the native_redirect_urls of the provider";
        faults.push(FieldError::new("redirect_uri", "redirect_not_allowed", message));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

fn code_fault(code: &str, binding: CodeBinding) -> Option<FieldError> {
    if binding == CodeBinding::None {
        let message = "is not accepted: the provider does not support PKCE; use the browser flow";
        return Some(FieldError::new("authorization_code", "not_supported", message));
    }
    if code.starts_with(PREFIX) {
        let message = "must be the code that the provider issued, not the one that this server issued (dnx_)";
        return Some(FieldError::new("authorization_code", "invalid_value", message));
    }
    if code.len() > CODE_BYTES_MAX {
        let message = format!("must be at most {CODE_BYTES_MAX} bytes long");
        return Some(FieldError::new("authorization_code", "too_long", message));
    }
    None
}

fn verifier_fault(verifier: Option<&SecretString>, binding: CodeBinding) -> Option<FieldError> {
    let Some(verifier) = verifier else {
        let message = "is required: the application must use PKCE (RFC 7636) with this provider and this client_id";
        return (binding == CodeBinding::Verifier).then(|| FieldError::new("code_verifier", "required", message));
    };
    let verifier = verifier.expose_secret();
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if VERIFIER_BYTES.contains(&verifier.len()) && verifier.bytes().all(is_unreserved) {
        return None;
    }
    let message = "must be 43 to 128 of A-Z, a-z, 0-9, -, ., _ and ~ (RFC 7636)";
    Some(FieldError::new("code_verifier", "invalid_code_verifier", message))
}

#[cfg(test)]
mod tests {
    use super::{CODE_BYTES_MAX, CodeBinding, code_fault, verifier_fault};

    #[test]
    fn a_code_is_bounded_and_not_one_of_ours() {
        for (code, binding, expected) in [
            ("SplxlOBeZQQYbYS6WxSbIA", CodeBinding::Nonce, None),
            ("SplxlOBeZQQYbYS6WxSbIA", CodeBinding::None, Some("not_supported")),
            ("dnx_AZNlqHsffD6NDAocLT5PUA", CodeBinding::Verifier, Some("invalid_value")),
            (&"x".repeat(CODE_BYTES_MAX + 1), CodeBinding::Nonce, Some("too_long")),
        ] {
            assert_eq!(code_fault(code, binding).map(|fault| fault.code), expected, "{code}");
        }
    }

    #[test]
    fn a_verifier_is_required_where_nothing_else_binds_the_code() {
        let good = "x".repeat(43);
        for (verifier, binding, expected) in [
            (None, CodeBinding::Nonce, None),
            (None, CodeBinding::Verifier, Some("required")),
            (Some(good.as_str()), CodeBinding::Verifier, None),
            (Some("short"), CodeBinding::Nonce, Some("invalid_code_verifier")),
            (Some(&"ä".repeat(30)), CodeBinding::Verifier, Some("invalid_code_verifier")),
            (Some(&"x".repeat(129)), CodeBinding::Verifier, Some("invalid_code_verifier")),
        ] {
            let verifier = verifier.map(Into::into);
            assert_eq!(verifier_fault(verifier.as_ref(), binding).map(|fault| fault.code), expected);
        }
    }
}
