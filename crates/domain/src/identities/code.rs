//! The code that an application exchanges after the provider: it carries the proven identity, sealed.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::begin::open_nonce;
use super::callback::settle;
use crate::budgets;
use crate::ctx::Ctx;
use crate::error::{Error, Result, Unauthenticated};
use crate::flows::sealed;
use crate::providers::{self, OutsideIdentity, Provider, ProviderName};
use crate::roles::RoleName;
use crate::time::Timestamp;
use crate::users::{DisplayName, EmailAddress, Locale};
use crate::value::Object;

/// What every code begins with.
const PREFIX: &str = "dnx_";
/// How long a code can be exchanged, in seconds.
const CODE_TTL_S: u32 = 60;
const PURPOSE: &str = "provider sign-in code";

/// How an application proves that its user came back from a provider.
#[derive(Debug)]
pub enum Proof {
    /// By the code of the browser flow, and the PKCE verifier of which the flow was begun with the challenge.
    Code {
        /// The code.
        code: SecretString,
        /// The verifier (RFC 7636 §4.1).
        verifier: SecretString,
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
}

/// An identity that its user has just proven.
#[derive(Debug)]
pub struct ProvenIdentity {
    pub(super) provider: Provider,
    pub(super) identity: OutsideIdentity,
    /// The flow, to be used up, and when it can be forgotten.
    pub(super) flow: (Uuid, Timestamp),
}

impl Proof {
    /// Verifies the proof. It is used up when something is done with it.
    ///
    /// # Errors
    /// [`Unauthenticated::InvalidCode`] for a code or verifier that is wrong or expired;
    /// [`Unauthenticated::ProviderRefused`] for an ID token or a nonce that is.
    pub(super) async fn verify(self, ctx: &Ctx) -> Result<ProvenIdentity> {
        match self {
            Self::Code { code, verifier } => open(ctx, &code, &verifier).await,
            Self::IdToken { provider, id_token, nonce } => {
                let provider = providers::find(ctx, &provider).await?;
                let flow = open_nonce(ctx, &nonce).ok_or_else(super::callback::refused)?;
                // Each try costs signature checks, and perhaps a request to the provider.
                let admitted = budgets::admit_client(ctx).await?;
                let federation = &ctx.services().federation;
                let identity = federation.verify_id_token(&provider, &id_token, nonce.expose_secret()).await;
                Ok(ProvenIdentity { provider, identity: settle(ctx, admitted, identity).await?, flow })
            }
        }
    }
}

/// The wire form of an identity in a code.
#[derive(Serialize, Deserialize)]
struct Carried {
    flow: [u8; 16],
    provider: String,
    code_challenge: String,
    expires_at: i64,
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
    flow: Uuid,
    code_challenge: &str,
) -> Result<String> {
    let carried = Carried {
        flow: *flow.as_bytes(),
        provider: provider.to_string(),
        code_challenge: code_challenge.to_owned(),
        expires_at: ctx.now().plus_seconds(CODE_TTL_S).as_micros(),
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
    Ok(format!("{PREFIX}{}", sealed::seal(ctx.services().vault.as_ref(), PURPOSE, &carried)?))
}

async fn open(ctx: &Ctx, code: &SecretString, verifier: &SecretString) -> Result<ProvenIdentity> {
    let sealed = code.expose_secret().strip_prefix(PREFIX).ok_or_else(invalid)?;
    let carried: Carried = sealed::open(ctx.services().vault.as_ref(), PURPOSE, sealed).ok_or_else(invalid)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
    let is_verified = bool::from(challenge.as_bytes().ct_eq(carried.code_challenge.as_bytes()));
    if !is_verified || ctx.now() >= Timestamp::from_micros(carried.expires_at) {
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
    // Every code of one flow shares its id; the note is kept for as long as the latest of them can live.
    let forgotten_at = ctx.now().plus_seconds(super::begin::TTL_S + CODE_TTL_S);
    Ok(ProvenIdentity { provider, identity, flow: (Uuid::from_bytes(carried.flow), forgotten_at) })
}

pub(super) fn invalid() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidCode)
}
