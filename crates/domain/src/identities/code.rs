//! The code that an application exchanges after the provider: it carries the proven identity, sealed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::native::{self, NativeCode};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result, Unauthenticated};
use crate::flows::Flow;
use crate::providers::{self, OutsideIdentity, Provider, ProviderName, ProviderTokens, Redeemed};
use crate::roles::RoleName;
use crate::users::{DisplayName, EmailAddress, Locale};
use crate::value::Object;

/// What every code begins with.
pub(super) const PREFIX: &str = "dnx_";
/// How long a code can be exchanged, in seconds.
pub(super) const CODE_TTL_S: u32 = 60;
const REFUSED: &str =
    "must be one that the provider issued to this application for the nonce, which must be unused and not expired";
const CONTEXT: &[u8] = b"provider sign-in code";

/// How an application proves that its user came back from a provider.
#[derive(Debug)]
pub enum Proof {
    /// By the code of the browser flow, and the PKCE verifier of which the flow was begun with the challenge.
    Code {
        /// The code.
        code: SecretString,
        /// The verifier (RFC 7636 §4.1).
        verifier: SecretString,
        /// The provider that the code must be of; any if absent.
        provider: Option<ProviderName>,
    },
    /// By an ID token that a native application obtained for a nonce of this server.
    IdToken {
        /// The provider.
        provider: ProviderName,
        /// The ID token.
        id_token: SecretString,
        /// The nonce.
        nonce: SecretString,
    },
    /// By an authorization code that a native application obtained from the provider itself.
    AuthorizationCode {
        /// The provider.
        provider: ProviderName,
        /// The code, with the parameters of the application's request.
        code: NativeCode,
        /// A nonce of this server. The ID token that comes with the tokens contains it.
        nonce: SecretString,
    },
}

/// An identity that its user has just proven.
#[derive(Debug)]
pub struct ProvenIdentity {
    pub(super) provider: Provider,
    pub(super) identity: OutsideIdentity,
    /// The tokens that came with the proof.
    pub(super) tokens: Option<ProviderTokens>,
    /// The flow, which the use of the identity finishes.
    pub(super) flow: Flow,
}

impl Proof {
    /// The error for a caller who is signed in: 401 would mean that their session has ended.
    pub(super) fn fault(&self) -> FieldError {
        let (field, code, message) = match self {
            Self::Code { .. } => (
                "code",
                "wrong_code",
                "must be a current code of this provider, with its verifier, that was not used before",
            ),
            Self::IdToken { .. } => ("id_token", "provider_refused", REFUSED),
            Self::AuthorizationCode { .. } => ("authorization_code", "provider_refused", REFUSED),
        };
        FieldError::new(field, code, message)
    }

    /// Verifies the proof. It is used up when something is done with it.
    ///
    /// # Errors
    /// [`Unauthenticated::InvalidCode`] for a code or verifier that is wrong or expired;
    /// [`Unauthenticated::ProviderRefused`] for an ID token, an authorization code or a nonce that is; the fields of a
    /// [`NativeCode`].
    pub(super) async fn verify(self, ctx: &Ctx) -> Result<ProvenIdentity> {
        match self {
            Self::Code { code, verifier, provider } => open(ctx, &code, &verifier, provider.as_ref()).await,
            Self::IdToken { provider, id_token, nonce } => {
                let provider = providers::find(ctx, &provider).await?;
                let (identity, flow) = native::by_id_token(ctx, &provider, &id_token, &nonce).await?;
                Ok(ProvenIdentity { provider, identity, tokens: None, flow })
            }
            Self::AuthorizationCode { provider, code, nonce } => {
                let provider = providers::find(ctx, &provider).await?;
                let (Redeemed { identity, tokens }, flow) = native::by_code(ctx, &provider, &code, &nonce).await?;
                Ok(ProvenIdentity { provider, identity, tokens: Some(tokens), flow })
            }
        }
    }
}

/// The wire form of an identity in a code.
#[derive(Serialize, Deserialize)]
struct Carried {
    provider: String,
    code_challenge: String,
    issuer: String,
    subject: String,
    email: Option<String>,
    email_verified: bool,
    name: Option<String>,
    locale: Option<String>,
    attributes: Object,
    role: Option<String>,
    has_proven_second_factor: bool,
}

/// The code for an identity that the provider proved in this flow.
pub(super) fn make(
    ctx: &Ctx,
    provider: &ProviderName,
    identity: OutsideIdentity,
    flow: Flow,
    code_challenge: &str,
) -> Result<String> {
    let carried = Carried {
        provider: provider.to_string(),
        code_challenge: code_challenge.to_owned(),
        issuer: identity.issuer,
        subject: identity.subject,
        email: identity.email.map(|email| email.to_string()),
        email_verified: identity.email_verified,
        name: identity.name.map(|name| name.to_string()),
        locale: identity.locale.map(|locale| locale.to_string()),
        attributes: identity.attributes,
        role: identity.role.map(|role| role.to_string()),
        has_proven_second_factor: identity.has_proven_second_factor,
    };
    Ok(format!("{PREFIX}{}", flow.with_ttl(ctx, CODE_TTL_S).seal_value(ctx, CONTEXT, &carried)?))
}

async fn open(
    ctx: &Ctx,
    code: &SecretString,
    verifier: &SecretString,
    expected: Option<&ProviderName>,
) -> Result<ProvenIdentity> {
    let sealed = code.expose_secret().strip_prefix(PREFIX).ok_or_else(invalid)?;
    let (flow, carried): (Flow, Carried) = Flow::open_value(ctx, CONTEXT, sealed).ok_or_else(invalid)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
    let is_verified = bool::from(challenge.as_bytes().ct_eq(carried.code_challenge.as_bytes()));
    let is_expected = expected.is_none_or(|provider| provider.as_str() == carried.provider);
    if !is_verified || !is_expected {
        return Err(invalid());
    }
    // The provider may have been disabled since.
    let provider = providers::find(ctx, &ProviderName::from_stored(carried.provider)).await?;
    let identity = OutsideIdentity {
        issuer: carried.issuer,
        subject: carried.subject,
        email: carried.email.map(EmailAddress::from_stored),
        email_verified: carried.email_verified,
        name: carried.name.map(DisplayName::from_stored),
        locale: carried.locale.map(Locale::from_stored),
        attributes: carried.attributes,
        role: carried.role.map(RoleName::from_stored),
        has_proven_second_factor: carried.has_proven_second_factor,
    };
    // The codes of one flow share its id: the record of its use outlives the last of them.
    let flow = flow.with_ttl(ctx, super::begin::TTL_S + CODE_TTL_S);
    Ok(ProvenIdentity { provider, identity, tokens: None, flow })
}

pub(super) fn invalid() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidCode)
}
