//! Sign out, and revoke sessions from elsewhere.

use secrecy::SecretString;

use super::EndReason;
use super::refresh::session_of;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result, Unauthenticated};
use crate::id::{SessionId, UserId};

/// Ends the caller's own session. Ending it twice is no error.
pub async fn end_current(ctx: &Ctx) -> Result<()> {
    let (_, session) = ctx.signed_in()?;
    let mut tx = ctx.store().write().await?;
    tx.end_session(session, EndReason::SignedOut, ctx.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends the session of a refresh token, for whoever holds it. Ending it twice is no error.
pub async fn end_by_refresh_token(ctx: &Ctx, token: &SecretString) -> Result<()> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidRefreshToken);
    let session = session_of(ctx, token).ok_or_else(refused)?;
    let mut tx = ctx.store().write().await?;
    tx.end_session(session, EndReason::SignedOut, ctx.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends a session: one's own, or anybody's for those who may. Ending it twice is no error.
pub async fn end(ctx: &Ctx, id: SessionId) -> Result<()> {
    ctx.require_identity()?;
    let absent = || Error::NotFound(Resource::Session);
    let mut tx = ctx.store().write().await?;
    let state = tx.session_state(id).await?.ok_or_else(absent)?;
    ctx.require_self_or(state.user_id, Permission::SessionsWrite).map_err(|error| match error {
        Error::NotFound(_) => absent(),
        other => other,
    })?;
    tx.end_session(id, EndReason::Revoked, ctx.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends every session of a user, or every one but `keep`, and says how many: one's own, or anybody's for those who may.
pub async fn end_of_user(ctx: &Ctx, user: UserId, keep: Option<SessionId>) -> Result<u64> {
    ctx.require_self_or(user, Permission::SessionsWrite)?;
    let now = ctx.now();
    let mut tx = ctx.store().write().await?;
    let ended = match keep {
        Some(keep) => tx.end_other_sessions(user, keep, EndReason::Revoked, now).await?,
        None => tx.end_user_sessions(user, EndReason::Revoked, now).await?,
    };
    tx.commit().await?;
    Ok(ended)
}
