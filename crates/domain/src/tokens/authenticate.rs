//! From what a request presents to whoever asks.

use super::current::{current, of_certificate, of_session};
use super::{VerifiedSubject, VerifiedToken};
use crate::access::{Actor, Credential, Permissions, Principal, Subject};
use crate::api_keys;
use crate::ctx::{Ctx, Services};
use crate::error::{Error, Result, Unauthenticated};
use crate::id::{ApiKeyId, ServiceAccountId, SessionId, UserId};

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
    of_certificate(&mut *services.store.read().await?, id).await?.ok_or_else(refused)
}

/// The same caller as they are now: for whoever takes a while to say or to hear everything. A credential that died
/// meanwhile does nothing more.
pub async fn renew(ctx: &Ctx) -> Result<Ctx> {
    let Actor::Known(before) = ctx.actor() else { return Ok(ctx.clone()) };
    let services = ctx.services();
    let now = match (before.subject, before.credential) {
        (Subject::User(id), Credential::Session(session_id)) => {
            let now = user(services, id, session_id).await?;
            // The end of a token is in the token. It bounds who follows; who began before it may finish.
            now.map(|now| Principal { expires_at: before.expires_at, ..now })
        }
        _ => current(&mut *services.store.read().await?, ctx.now(), before).await?,
    };
    Ok(ctx.by(Actor::Known(now.ok_or_else(refused)?)))
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
        // Boxed: it is rare, and every request would carry the room that it takes.
        state = Box::pin(async { Ok::<_, Error>(services.store.snapshot().await?.session_state(session_id).await?) })
            .await?;
    }
    Ok(of_session(state, now, id, session_id))
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
        key_digest: None,
    }))
}

fn refused() -> Error {
    Error::Unauthenticated(Unauthenticated::InvalidToken)
}
