//! What a token stands for at this moment (RFC 7662).

use secrecy::{ExposeSecret, SecretString};

use super::authenticate::principal_of;
use super::{Authentication, FIRST_PARTY_CLIENT_ID, claims_of};
use crate::access::{Credential, Permission, Permissions, Principal, Subject};
use crate::api_keys::authenticate::live_state;
use crate::api_keys::{self, secret};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::roles::RoleName;
use crate::sessions::refresh;
use crate::time::Timestamp;
use crate::users::EmailAddress;
use crate::value::Value;

/// What a live token stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Introspection {
    /// What kind of token it is.
    pub kind: TokenKind,
    /// Whom it is for.
    pub subject: Subject,
    /// The credential behind it.
    pub credential: Credential,
    /// The subject's address now, if it is a user.
    pub address: Option<IntrospectedAddress>,
    /// The subject's role now.
    pub role: RoleName,
    /// The effective scopes.
    pub scope: Permissions,
    /// From when it is, if it says so.
    pub issued_at: Option<Timestamp>,
    /// Until when it is good at most.
    pub expires_at: Option<Timestamp>,
    /// The claim `jti` of an access token, decoded.
    pub token_id: Option<[u8; 16]>,
    /// When and how the user authenticated, if it is the token of a user.
    pub authentication: Option<Authentication>,
    /// The claims from attributes of the user, as they are now.
    pub custom: Vec<(String, Value)>,
}

/// The address of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntrospectedAddress {
    /// The email address.
    pub email: EmailAddress,
    /// Whether the user has proven that they receive mail at it.
    pub is_verified: bool,
}

/// The kinds of tokens there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A signed access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An API key.
    ApiKey,
}

/// Refuses whoever may not introspect: service accounts may, and those who hold the permission.
pub fn require_introspection(ctx: &Ctx) -> Result<()> {
    match ctx.principal() {
        Ok(Principal { subject: Subject::ServiceAccount(_), .. }) => Ok(()),
        _ => ctx.require(Permission::TokensIntrospect),
    }
}

/// What a token of any kind stands for; `None` when it is not good, for whatever reason.
///
/// The caller has been [admitted](require_introspection), or is a client that proved who it is.
pub async fn introspect(ctx: &Ctx, token: &SecretString) -> Result<Option<Introspection>> {
    let text = token.expose_secret();
    if text.starts_with(api_keys::PREFIX) {
        api_key(ctx, text).await
    } else if text.starts_with(refresh::PREFIX) {
        refresh_token(ctx, token).await
    } else {
        access_token(ctx, text).await
    }
}

async fn access_token(ctx: &Ctx, text: &str) -> Result<Option<Introspection>> {
    let Some(token) = ctx.services().tokens.verify(text, ctx.now()) else { return Ok(None) };
    let Some(principal) = principal_of(ctx.services(), &token).await? else { return Ok(None) };
    let authentication = match principal.credential {
        // The read that authenticated it is remembered.
        Credential::Session(session) => {
            ctx.store().read().await?.session_state(session).await?.map(|state| state.authentication())
        }
        Credential::ApiKey(_) | Credential::ClientToken(_) | Credential::Certificate(_) => None,
    };
    let (address, custom) = of_user(ctx, principal.subject).await?;
    Ok(Some(Introspection {
        kind: TokenKind::Access,
        subject: principal.subject,
        credential: principal.credential,
        address,
        custom,
        role: principal.role,
        scope: principal.permissions,
        issued_at: Some(token.issued_at),
        expires_at: Some(token.expires_at),
        token_id: Some(token.token_id),
        authentication,
    }))
}

async fn refresh_token(ctx: &Ctx, token: &SecretString) -> Result<Option<Introspection>> {
    let Some((session, generation)) = refresh::open(ctx.services().vault.as_ref(), token) else { return Ok(None) };
    // Not from what a store remembers: another node may have refreshed the session a moment ago.
    let state = ctx.store().snapshot().await?.session_state(session).await?;
    // Only the newest one is told to be good: one before it may get an answer again, but should not be kept.
    let live = state.filter(|state| state.generation == generation && state.is_live(ctx.now()));
    let Some(state) = live else { return Ok(None) };
    let subject = Subject::User(state.user_id);
    let authentication = Some(state.authentication());
    let (address, custom) = of_user(ctx, subject).await?;
    Ok(Some(Introspection {
        kind: TokenKind::Refresh,
        subject,
        credential: Credential::Session(session),
        address,
        custom,
        role: state.role,
        scope: state.permissions,
        issued_at: Some(state.refreshed_at),
        expires_at: Some(state.idle_expires_at.min(state.expires_at)),
        token_id: None,
        authentication,
    }))
}

async fn api_key(ctx: &Ctx, text: &str) -> Result<Option<Introspection>> {
    let Some((id, mac)) = secret::read(text, ctx.services().vault.as_ref()) else { return Ok(None) };
    let Some(state) = live_state(ctx.services(), id, &mac).await? else { return Ok(None) };
    let (address, custom) = of_user(ctx, state.owner).await?;
    Ok(Some(Introspection {
        kind: TokenKind::ApiKey,
        subject: state.owner,
        credential: Credential::ApiKey(id),
        address,
        custom,
        scope: state.effective(),
        role: state.role,
        issued_at: None,
        expires_at: state.expires_at,
        token_id: None,
        authentication: None,
    }))
}

/// What is read of the user: the address, and the claims from attributes.
async fn of_user(ctx: &Ctx, subject: Subject) -> Result<(Option<IntrospectedAddress>, Vec<(String, Value)>), Error> {
    let Subject::User(id) = subject else { return Ok((None, Vec::new())) };
    let Some(user) = ctx.store().read().await?.find_user(id).await? else { return Ok((None, Vec::new())) };
    let custom = claims_of(&ctx.policy().token_claims, &user);
    Ok((Some(IntrospectedAddress { email: user.email, is_verified: user.email_verified }), custom))
}

impl Introspection {
    /// The OAuth 2 client it was issued to: a service account, or the public client of sessions. `None` for the API key
    /// of a user.
    #[must_use]
    pub fn client_id(&self) -> Option<String> {
        match (self.subject, self.credential) {
            (Subject::ServiceAccount(id), _) => Some(id.to_string()),
            (Subject::User(_), Credential::Session(_)) => Some(FIRST_PARTY_CLIENT_ID.to_owned()),
            (Subject::User(_), _) => None,
        }
    }
}
