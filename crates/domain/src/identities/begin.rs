//! Redirect a browser to a provider.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::callback::provider_error;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::flows::Flow;
use crate::ports::Vault;
use crate::providers::{self, AuthorizationRequest, ProviderName};

/// How long a user may take at the provider, in seconds.
pub const TTL_S: u32 = 10 * 60;
const STATE_CONTEXT: &[u8] = b"provider sign-in state";
/// The longest `login_hint`, in bytes.
const HINT_BYTES_MAX: usize = 320;
/// The token that binds a flow to a browser.
const BROWSER_BYTES: usize = 32;

/// The parameters of an application.
#[derive(Debug)]
pub struct Begin {
    /// Where the browser is sent in the end; on the allow-list.
    pub redirect_to: String,
    /// The PKCE challenge of the application (S256, RFC 7636 §4.2).
    pub code_challenge: String,
    /// The address that the provider should suggest.
    pub login_hint: Option<String>,
    /// The token of an earlier flow in this browser.
    pub browser: Option<SecretString>,
}

/// A flow that has begun.
#[derive(Debug)]
pub struct Started {
    /// The URL at the provider.
    pub location: String,
    /// The token that binds the flow to the browser, for a cookie.
    pub browser: SecretString,
}

/// The content of our `state`.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    provider: String,
    pub(super) redirect_to: String,
    pub(super) code_challenge: String,
    browser_digest: [u8; 32],
}

impl State {
    /// Opens a `state` that was made for this provider and this browser and has not expired.
    pub(super) fn open(
        ctx: &Ctx,
        provider: &ProviderName,
        sealed: &str,
        browser: Option<&SecretString>,
    ) -> Option<(Flow, Self)> {
        let (flow, state): (Flow, Self) = Flow::open_value(ctx, STATE_CONTEXT, sealed)?;
        let is_of_browser = bool::from(digest(browser?).ct_eq(&state.browser_digest));
        (is_of_browser && state.provider == provider.as_str()).then_some((flow, state))
    }
}

/// The nonce that the ID token of a browser flow must carry.
pub(super) fn nonce_of(vault: &dyn Vault, flow: &Flow) -> String {
    derived(vault, "provider sign-in nonce of a flow", flow)
}

/// The PKCE verifier of our request to the provider.
pub(super) fn code_verifier_of(vault: &dyn Vault, flow: &Flow) -> SecretString {
    derived(vault, "provider sign-in verifier", flow).into()
}

/// Begins a sign-in at a provider: makes the URL that the browser is sent to. Nothing is written.
///
/// # Errors
/// The fields `redirect_to` and `code_challenge`; [`crate::error::Resource::Provider`] when there is no such provider;
/// [`Error::ProviderUnavailable`].
pub async fn begin(ctx: &Ctx, name: &ProviderName, begin: Begin) -> Result<Started> {
    let provider = providers::find(ctx, name).await?;
    check(ctx, &begin)?;
    let vault = ctx.services().vault.as_ref();
    let browser = begin.browser.filter(is_browser_token).unwrap_or_else(|| browser_token(ctx));
    let state = State {
        provider: name.to_string(),
        redirect_to: begin.redirect_to,
        code_challenge: begin.code_challenge,
        browser_digest: digest(&browser),
    };
    let flow = Flow::begin(ctx, TTL_S);
    let sealed = flow.seal_value(ctx, STATE_CONTEXT, &state)?;
    let request = AuthorizationRequest {
        redirect_uri: &providers::callback_of(ctx, name),
        state: &sealed,
        nonce: &nonce_of(vault, &flow),
        code_verifier: &code_verifier_of(vault, &flow),
        login_hint: begin.login_hint.as_deref(),
        locale: ctx.origin().language.as_ref(),
    };
    let location = ctx.services().federation.authorization_url(&provider, &request).await.map_err(provider_error)?;
    Ok(Started { location, browser })
}

/// A nonce for the request of a native application to a provider. Nothing is written: it is used up by the sign-in.
///
/// # Errors
/// [`crate::error::Resource::Provider`] when there is no such provider.
pub async fn nonce(ctx: &Ctx, name: &ProviderName) -> Result<SecretString> {
    providers::find(ctx, name).await?;
    Ok(Flow::begin(ctx, TTL_S).seal(ctx, &nonce_context(name), &[]).into())
}

/// The flow of a nonce, if it was issued here for this provider and has not expired.
pub(super) fn open_nonce(ctx: &Ctx, provider: &ProviderName, nonce: &SecretString) -> Option<Flow> {
    Flow::open(ctx, &nonce_context(provider), nonce.expose_secret()).map(|(flow, _)| flow)
}

/// A nonce opens for its provider only.
fn nonce_context(provider: &ProviderName) -> Vec<u8> {
    format!("provider sign-in nonce {provider}").into_bytes()
}

fn check(ctx: &Ctx, begin: &Begin) -> Result<()> {
    let mut faults = Vec::new();
    if begin.redirect_to.is_empty() {
        faults.push(FieldError::new("redirect_to", "required", "is required"));
    } else if !ctx.policy().redirects.allow(&begin.redirect_to) {
        let message = "must be one of the URLs of sign_in.redirect_urls; only its query may differ";
        faults.push(FieldError::new("redirect_to", "redirect_not_allowed", message));
    }
    let is_challenge = URL_SAFE_NO_PAD.decode(&begin.code_challenge).is_ok_and(|bytes| bytes.len() == 32);
    if begin.code_challenge.is_empty() {
        faults.push(FieldError::new("code_challenge", "required", "is required"));
    } else if !is_challenge {
        let message = "must be the base64url-encoded SHA-256 digest of the code verifier (RFC 7636, S256)";
        faults.push(FieldError::new("code_challenge", "invalid_code_challenge", message));
    }
    if begin.login_hint.as_ref().is_some_and(|hint| hint.len() > HINT_BYTES_MAX) {
        let message = format!("must be at most {HINT_BYTES_MAX} bytes long");
        faults.push(FieldError::new("login_hint", "too_long", message));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

fn browser_token(ctx: &Ctx) -> SecretString {
    let mut bytes = [0; BROWSER_BYTES];
    ctx.services().random.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).into()
}

/// Several tabs may sign in at once: they share the token of their browser.
fn is_browser_token(token: &SecretString) -> bool {
    URL_SAFE_NO_PAD.decode(token.expose_secret()).is_ok_and(|bytes| bytes.len() == BROWSER_BYTES)
}

fn digest(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret()).into()
}

fn derived(vault: &dyn Vault, purpose: &str, flow: &Flow) -> String {
    URL_SAFE_NO_PAD.encode(vault.mac(purpose, flow.id()))
}
