//! From what a request presents to whoever asks.

use super::{VerifiedSubject, VerifiedToken};
use crate::access::{Actor, Credential, Permissions, Principal, Subject};
use crate::api_keys;
use crate::ctx::{Ctx, Services};
use crate::error::{Error, Result, Unauthenticated};
use crate::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};
use crate::roles::permissions_of;
use crate::users::Status;

/// Whoever holds this bearer credential: an access token or an API key. Signing out, disabling, deleting, and a change
/// of the role are felt at once: the store is asked, not the token.
pub async fn authenticate(services: &Services, bearer: &str) -> Result<Principal> {
    if bearer.starts_with(api_keys::PREFIX) {
        return api_keys::authenticate::authenticate(services, bearer).await;
    }
    let token = services.tokens.verify(bearer, services.clock.now()).ok_or_else(refused)?;
    let mut principal = principal_of(services, &token).await?.ok_or_else(refused)?;
    principal.expires_at = Some(token.expires_at);
    services.usage.note(principal.credential, services.clock.now());
    Ok(principal)
}

/// The service account that a client certificate names. Whoever issues certificates vouches for it; whether the account
/// is active, and what its role may do, is asked of the store each time.
pub async fn authenticate_certificate(services: &Services, id: ServiceAccountId) -> Result<Principal> {
    program(services, id).await?.ok_or_else(refused)
}

/// The same caller as they are now: for whoever takes a while to say or to hear everything. A credential that died
/// meanwhile does nothing more.
pub async fn renew(ctx: &Ctx) -> Result<Ctx> {
    let Actor::Known(before) = ctx.actor() else { return Ok(ctx.clone()) };
    let services = ctx.services();
    let now = match (before.subject, before.credential) {
        (Subject::User(id), Credential::Session(session_id)) => user(services, id, session_id).await?,
        (owner, Credential::ApiKey(key_id)) => key(services, owner, key_id).await?,
        (Subject::ServiceAccount(id), Credential::ClientToken(key_id)) => {
            // What the token did not carry before, it does not carry now.
            client(services, id, key_id, before.permissions).await?
        }
        (_, Credential::Certificate(id)) => program(services, id).await?,
        (Subject::User(_), Credential::ClientToken(_)) | (Subject::ServiceAccount(_), Credential::Session(_)) => None,
    };
    let mut now = now.ok_or_else(refused)?;
    // The end of a token is in the token. It bounds who follows; who began before it may finish.
    now.expires_at = now.expires_at.or(before.expires_at);
    Ok(ctx.by(Actor::Known(now)))
}

async fn key(services: &Services, owner: Subject, key_id: ApiKeyId) -> Result<Option<Principal>> {
    let state = services.store.read().await?.api_key_state(key_id).await?;
    let live = state.filter(|state| state.owner == owner && state.is_live(services.clock.now()));
    Ok(live.map(|state| Principal {
        subject: owner,
        credential: Credential::ApiKey(key_id),
        permissions: state.effective(),
        expires_at: state.expires_at,
        role: state.role,
    }))
}

/// Whom a verified token stands for at this moment, if for anybody.
pub(super) async fn principal_of(services: &Services, token: &VerifiedToken) -> Result<Option<Principal>> {
    match token.subject {
        VerifiedSubject::User { id, session_id } => user(services, id, session_id).await,
        VerifiedSubject::Client { id, key_id } => client(services, id, key_id, token.scope).await,
    }
}

async fn program(services: &Services, id: ServiceAccountId) -> Result<Option<Principal>> {
    let mut tx = services.store.read().await?;
    let account = tx.find_service_account(id).await?.filter(|account| account.status == Status::Active);
    let Some(account) = account else { return Ok(None) };
    Ok(Some(Principal {
        subject: Subject::ServiceAccount(id),
        credential: Credential::Certificate(id),
        permissions: permissions_of(&mut *tx, &account.role).await?,
        expires_at: None,
        role: account.role,
    }))
}

async fn user(services: &Services, id: UserId, session_id: SessionId) -> Result<Option<Principal>> {
    let now = services.clock.now();
    let mut state = services.store.read().await?.session_state(session_id).await?;
    // A store may remember for a moment what it read; another node may have refreshed the session since.
    if state.as_ref().is_some_and(|state| !state.is_ended && state.idle_expires_at <= now) {
        // Boxed: it is rare, and every request would carry the room that it takes.
        state = Box::pin(async { Ok::<_, Error>(services.store.snapshot().await?.session_state(session_id).await?) })
            .await?;
    }
    let live = state.filter(|state| state.user_id == id && state.is_live(now));
    Ok(live.map(|state| Principal {
        subject: Subject::User(id),
        credential: Credential::Session(session_id),
        role: state.role,
        permissions: state.permissions,
        expires_at: None,
    }))
}

async fn client(
    services: &Services,
    id: ServiceAccountId,
    key_id: ApiKeyId,
    scope: Permissions,
) -> Result<Option<Principal>> {
    let owner = Subject::ServiceAccount(id);
    let state = services.store.read().await?.api_key_state(key_id).await?;
    let live = state.filter(|state| state.owner == owner && state.is_live(services.clock.now()));
    Ok(live.map(|state| Principal {
        subject: owner,
        credential: Credential::ClientToken(key_id),
        permissions: state.effective().and(scope),
        expires_at: None,
        role: state.role,
    }))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidToken)
}
