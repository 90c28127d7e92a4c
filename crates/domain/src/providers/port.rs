//! How providers are spoken to.

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Provider, ProviderSettings};
use crate::error::FieldError;
use crate::roles::RoleName;
use crate::users::{DisplayName, EmailAddress, Locale};
use crate::value::Object;

/// What an authorization request to a provider carries (OpenID Connect Core 1.0 §3.1.2.1, RFC 7636).
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// Our callback, as registered with the provider.
    pub redirect_uri: &'a str,
    /// The `state`.
    pub state: &'a str,
    /// The `nonce`. Not sent to a provider without ID tokens.
    pub nonce: &'a str,
    /// The PKCE verifier, of which the challenge is sent.
    pub code_verifier: &'a SecretString,
    /// The `login_hint`.
    pub login_hint: Option<&'a str>,
    /// The `ui_locales`.
    pub locale: Option<&'a Locale>,
}

/// What the provider sent back to our callback, with what it is verified against.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationGrant<'a> {
    /// The authorization code.
    pub code: &'a SecretString,
    /// The `iss` of the authorization response, if there was one (RFC 9207).
    pub issuer: Option<&'a str>,
    /// Our callback.
    pub redirect_uri: &'a str,
    /// The `nonce` of the request.
    pub nonce: &'a str,
    /// The PKCE verifier of the request.
    pub code_verifier: &'a SecretString,
    /// The profile that Apple sends once, beside its first authorization response: JSON.
    pub user: Option<&'a str>,
}

/// An authorization code that a native application obtained, with the parameters of the application's own request.
#[derive(Debug, Clone, Copy)]
pub struct NativeGrant<'a> {
    /// The authorization code.
    pub code: &'a SecretString,
    /// The client id that the code was issued to: that of the settings, or one of the native applications.
    pub client_id: &'a str,
    /// The redirect URI of the application's request, if it had one.
    pub redirect_uri: Option<&'a str>,
    /// The nonce that the ID token must carry, or its SHA-256 digest in lower-case hexadecimal.
    pub nonce: &'a str,
    /// The PKCE verifier of the application, if it used PKCE.
    pub code_verifier: Option<&'a SecretString>,
}

/// What binds an authorization code to the application that presents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeBinding {
    /// The nonce in the ID token that comes with the tokens. PKCE is optional.
    Nonce,
    /// The PKCE verifier: the provider issues no ID tokens, or the client has no secret (RFC 8252 §8.1).
    Verifier,
    /// Nothing: the provider has neither ID tokens nor PKCE.
    None,
}

/// A user as a provider knows them, verified and mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct OutsideIdentity {
    /// The issuer identifier; for a provider without one, the origin of its authorization endpoint.
    pub issuer: String,
    /// Identifies the user at the issuer; never reassigned.
    pub subject: String,
    /// Email address.
    pub email: Option<EmailAddress>,
    /// Whether the address is verified, by the rule of the provider.
    pub email_verified: bool,
    /// Display name.
    pub name: Option<DisplayName>,
    /// Preferred language.
    pub locale: Option<Locale>,
    /// Mapped attributes.
    pub attributes: Object,
    /// The mapped role.
    pub role: Option<RoleName>,
    /// Whether the provider reports multi-factor authentication, and is trusted with that.
    pub has_proven_second_factor: bool,
}

/// The tokens that a provider issued (RFC 6749 §5.1).
#[derive(Debug, Clone)]
pub struct ProviderTokens {
    /// The access token.
    pub access_token: SecretString,
    /// The type, as the provider names it.
    pub token_type: String,
    /// The refresh token, if the provider issued one.
    pub refresh_token: Option<SecretString>,
    /// The granted scope, as the provider writes it.
    pub scope: Option<String>,
    /// How long the access token is valid, in seconds, if the provider states it.
    pub expires_in_s: Option<u32>,
    /// The client id that they were issued to.
    pub client_id: String,
}

/// What a provider returned for an authorization code.
#[derive(Debug)]
pub struct Redeemed {
    /// The user.
    pub identity: OutsideIdentity,
    /// The tokens.
    pub tokens: ProviderTokens,
}

/// Why a provider issued no new tokens. The adapter has logged the details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The refresh token is invalid, expired or revoked (`invalid_grant`).
    #[error("the provider rejected the refresh token")]
    Rejected,
    /// The provider did not answer, or refused for another reason: the refresh token may be valid.
    #[error("the provider issued no tokens")]
    Failed,
}

/// Why a provider did not authenticate the user.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// The provider did not answer, or answered with a server error.
    #[error("the provider is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The provider refused, or its answer failed a check. For the log only.
    #[error("the provider's response failed the check \"{check}\"")]
    Refused {
        /// Which check failed.
        check: &'static str,
        /// More, if there is more to say. Never quotes a token.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// The result of one check of [`Federation::test`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked: `settings`, `discovery`, `keys`, `clock`, `redirect_uri` or `client`.
    pub check: &'static str,
    /// Whether it passed. A check that needs one that failed is left out.
    pub has_passed: bool,
    /// One sentence: what was found, and what to do about it.
    pub message: String,
}

/// How a provider is shown to users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderDisplay {
    /// The text of the sign-in button.
    pub label: String,
    /// The name of the icon: that of the preset, or `generic`.
    pub icon: String,
}

/// Speaks to providers.
#[async_trait]
pub trait Federation: Send + Sync {
    /// Checks the settings without speaking to the provider. All faults are reported together.
    ///
    /// # Errors
    /// One entry per field at fault.
    fn check(&self, settings: &ProviderSettings, has_secret: bool) -> Result<(), Vec<FieldError>>;

    /// How the provider is shown.
    fn display(&self, provider: &Provider) -> ProviderDisplay;

    /// The issuer of the identities of the provider, in which `{tenantid}` may stand for a tenant; `None` if its settings
    /// name none.
    fn issuer(&self, provider: &Provider) -> Option<String>;

    /// The URL that the browser is sent to. May fetch the provider's metadata.
    ///
    /// # Errors
    /// As [`FederationError`] lists them.
    async fn authorization_url(
        &self,
        provider: &Provider,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, FederationError>;

    /// Exchanges an authorization code, and verifies and maps the claims about the user.
    ///
    /// # Errors
    /// As [`FederationError`] lists them.
    async fn redeem(&self, provider: &Provider, grant: &AuthorizationGrant<'_>) -> Result<Redeemed, FederationError>;

    /// What binds an authorization code that the provider issues to this client to the application that presents it.
    fn code_binding(&self, provider: &Provider, client_id: &str) -> CodeBinding;

    /// Exchanges an authorization code that a native application obtained, and verifies and maps the claims about the user.
    ///
    /// # Errors
    /// As [`FederationError`] lists them.
    async fn redeem_native(&self, provider: &Provider, grant: &NativeGrant<'_>) -> Result<Redeemed, FederationError>;

    /// Exchanges a refresh token, which may be usable only once, for new tokens (RFC 6749 §6).
    ///
    /// # Errors
    /// As [`RefreshError`] lists them.
    async fn refresh(
        &self,
        provider: &Provider,
        client_id: &str,
        refresh_token: &SecretString,
    ) -> Result<ProviderTokens, RefreshError>;

    /// Waits a moment for another request that refreshes the same tokens.
    async fn pause(&self);

    /// Verifies and maps an ID token that a native application obtained from the provider. The `nonce` of the token must
    /// be this one, or the SHA-256 digest of it in lower-case hexadecimal, as Apple's and Google's libraries send it.
    ///
    /// # Errors
    /// As [`FederationError`] lists them.
    async fn verify_id_token(
        &self,
        provider: &Provider,
        id_token: &SecretString,
        nonce: &str,
    ) -> Result<OutsideIdentity, FederationError>;

    /// Checks the provider as far as that is possible without a user: settings, discovery, keys, clock, redirect URI and
    /// client secret.
    async fn test(&self, provider: &Provider, redirect_uri: &str) -> Vec<Finding>;
}
