//! From a verified token to whoever asks.

use crate::access::Principal;
use crate::ctx::Services;
use crate::error::{Error, Result, Unauthenticated};
use crate::id::{SessionId, UserId};

/// The user behind a session that is still alive. Signing out, disabling and deleting are felt at once,
/// and the role is the one of now: the store is asked, not the token.
pub async fn authenticate(services: &Services, user: UserId, session: SessionId) -> Result<Principal> {
    let state = services.store.read().await?.session_state(session).await?;
    let live = state.filter(|state| state.user_id == user && state.is_live(services.clock.now()));
    let state = live.ok_or(Error::Unauthenticated(Unauthenticated::InvalidToken))?;
    let permissions = state.role.permissions();
    Ok(Principal { user_id: user, session_id: session, role: state.role, permissions })
}
