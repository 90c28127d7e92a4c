//! Receive the browser that a provider sends back.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::begin::{State, TTL_S, code_verifier_of, nonce_of};
use super::{code, tokens};
use crate::budgets::{self, Admitted};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result, Unauthenticated};
use crate::flows::Flow;
use crate::providers::{self, AuthorizationGrant, FederationError, ProviderName, Redeemed, with_query};

/// The error codes of providers that mean that the user did not want to go on.
const CANCELLED: &[&str] = &["access_denied", "user_cancelled_authorize", "user_cancelled_login", "consent_required"];
const FORM_CONTEXT: &[u8] = b"provider form";
/// When it is worth asking a provider again, in seconds.
const RETRY_AFTER_S: u32 = 5;

/// What the provider sent along (RFC 6749 §4.1.2, RFC 9207).
#[derive(Debug, Default)]
pub struct Callback {
    /// Our `state`.
    pub state: Option<String>,
    /// The authorization code.
    pub code: Option<SecretString>,
    /// The error code.
    pub error: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
    /// The profile that Apple sends once.
    pub user: Option<String>,
}

/// A response as a form, on its way through the browser.
#[derive(Serialize, Deserialize)]
struct Form {
    provider: String,
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
    user: Option<String>,
}

/// Verifies the response of a provider, and makes the URL that the browser is sent to: that of the application, with a
/// `code` to exchange, or with an `error`. Nothing is written but tokens that are kept.
///
/// # Errors
/// The field `state`, when this browser did not begin the flow, or too long ago: then there is no URL to send it to.
pub async fn callback(
    ctx: &Ctx,
    name: &ProviderName,
    received: Callback,
    browser: Option<&SecretString>,
) -> Result<String> {
    let sealed = received.state.as_deref().unwrap_or_default();
    let (flow, state) = State::open(ctx, name, sealed, browser).ok_or_else(|| {
        let message = "must be that of a sign-in that this browser started within the last 10 minutes; start again";
        FieldError::new("state", "invalid_state", message)
    })?;
    Ok(match redeem(ctx, name, flow, &state.code_challenge, received).await {
        Ok(code) => with_query(&state.redirect_to, "code", &code),
        Err(error) => with_query(&state.redirect_to, "error", code_of(error)?),
    })
}

/// Seals what a provider sent as a form, so that our own `GET` can go on with it.
///
/// # Errors
/// [`Error::Internal`] when it cannot be encoded.
pub fn seal_form(ctx: &Ctx, name: &ProviderName, received: Callback) -> Result<String> {
    let form = Form {
        provider: name.to_string(),
        state: received.state,
        code: received.code.map(|code| code.expose_secret().to_owned()),
        error: received.error,
        issuer: received.issuer,
        user: received.user,
    };
    Flow::begin(ctx, TTL_S).seal_value(ctx, FORM_CONTEXT, &form)
}

/// Opens what [`seal_form`] made for the same provider.
///
/// # Errors
/// The field `form`.
pub fn open_form(ctx: &Ctx, name: &ProviderName, sealed: &str) -> Result<Callback> {
    let form = Flow::open_value(ctx, FORM_CONTEXT, sealed).map(|(_, form): (Flow, Form)| form);
    let form = form.filter(|form| form.provider == name.as_str());
    let form = form.ok_or_else(|| FieldError::new("form", "invalid_state", "must be the one that this server made"))?;
    let code = form.code.map(SecretString::from);
    Ok(Callback { state: form.state, code, error: form.error, issuer: form.issuer, user: form.user })
}

async fn redeem(
    ctx: &Ctx,
    name: &ProviderName,
    flow: Flow,
    code_challenge: &str,
    received: Callback,
) -> Result<String> {
    let provider = providers::find(ctx, name).await?;
    let Some(code) = received.code.filter(|_| received.error.is_none()) else {
        let has_cancelled = received.error.is_some_and(|error| CANCELLED.contains(&error.as_str()));
        return Err(if has_cancelled { Error::Forbidden } else { refused() });
    };
    let vault = ctx.services().vault.as_ref();
    let (nonce, code_verifier) = (nonce_of(vault, &flow), code_verifier_of(vault, &flow));
    let grant = AuthorizationGrant {
        code: &code,
        issuer: received.issuer.as_deref(),
        redirect_uri: &providers::callback_of(ctx, name),
        nonce: &nonce,
        code_verifier: &code_verifier,
        user: received.user.as_deref(),
    };
    // Each try costs a request to the provider: tries that fail are counted against the client's address.
    let admitted = budgets::admit_client(ctx).await?;
    let redeemed = ctx.services().federation.redeem(&provider, &grant).await;
    let Redeemed { identity, tokens } = settle(ctx, admitted, redeemed).await?;
    tokens::draft(ctx, &provider, &flow, tokens, code::CODE_TTL_S).await?;
    code::make(ctx, name, identity, flow, code_challenge)
}

/// Converts the result of a provider. Only a refusal stays counted: an outage is not the fault of the client.
pub(super) async fn settle<T>(ctx: &Ctx, admitted: Admitted, result: Result<T, FederationError>) -> Result<T> {
    if !matches!(result, Err(FederationError::Refused { .. })) {
        budgets::give_back(ctx, admitted).await?;
    }
    result.map_err(provider_error)
}

/// The error for the client. The adapter that sent the request has logged the details.
#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
pub(super) fn provider_error(error: FederationError) -> Error {
    match error {
        FederationError::Unavailable(_) => Error::ProviderUnavailable { retry_after_s: RETRY_AFTER_S },
        FederationError::Refused { .. } => refused(),
    }
}

pub(super) fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::ProviderRefused)
}

/// The code by which an application learns why there is none to exchange.
fn code_of(error: Error) -> Result<&'static str> {
    match error {
        Error::Forbidden => Ok("access_denied"),
        Error::ProviderUnavailable { .. } => Ok("provider_unavailable"),
        Error::Unauthenticated(_) => Ok("provider_refused"),
        Error::NotFound(_) => Ok("provider_not_found"),
        Error::TooManyRequests { .. } | Error::Overloaded { .. } => Ok("too_many_requests"),
        other => Err(other),
    }
}
