//! From what a request presents to whoever asks.

use super::{VerifiedSubject, VerifiedToken};
use crate::access::{Credential, Permissions, Principal, Subject};
use crate::api_keys;
use crate::ctx::Services;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};

/// Whoever holds this bearer credential: an access token or an API key. Signing out, disabling, deleting, and a change
/// of the role are felt at once: the store is asked, not the token.
pub async fn authenticate(services: &Services, bearer: &str) -> Result<Principal> {
    if bearer.starts_with(api_keys::PREFIX) {
        return api_keys::authenticate::authenticate(services, bearer).await;
    }
    let token = services.tokens.verify(bearer, services.clock.now()).ok_or_else(refused)?;
    let principal = principal_of(services, &token).await?.ok_or_else(refused)?;
    services.usage.note(principal.credential, services.clock.now());
    Ok(principal)
}

/// Whom a verified token stands for at this moment, if for anybody.
pub(super) async fn principal_of(services: &Services, token: &VerifiedToken) -> Result<Option<Principal>> {
    match token.subject {
        VerifiedSubject::User { id, session_id } => user(services, id, session_id).await,
        VerifiedSubject::Client { id, key_id } => client(services, id, key_id, token.scope).await,
    }
}

async fn user(services: &Services, id: UserId, session_id: SessionId) -> Result<Option<Principal>> {
    let now = services.clock.now();
    let mut state = services.store.read().await?.session_state(session_id).await?;
    // A store may remember for a moment what it read; another node may have refreshed the session since.
    if state.as_ref().is_some_and(|state| !state.is_ended && state.idle_expires_at <= now) {
        state = services.store.snapshot().await?.session_state(session_id).await?;
    }
    let live = state.filter(|state| state.user_id == id && state.is_live(now));
    Ok(live.map(|state| Principal {
        subject: Subject::User(id),
        credential: Credential::Session(session_id),
        role: state.role,
        permissions: state.permissions,
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
        role: state.role,
    }))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidToken)
}
