//! Sign out, and revoke sessions from elsewhere.

use secrecy::SecretString;
use uuid::Uuid;

use super::EndReason;
use super::refresh::session_of;
use crate::access::{Permission, Subject};
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result, Unauthenticated};
use crate::events::record_ended;
use crate::id::{IdentityId, SessionId, UserId};
use crate::pending::{self, Ending};
use crate::providers::ProviderName;
use crate::roles::require_authority_over;
use crate::store::WriteTx;

/// Ends the caller's own session. Ending it twice is no error.
pub async fn end_current(ctx: &Ctx) -> Result<()> {
    let (user, session) = ctx.signed_in()?;
    // Of two who end it at once, neither is refused.
    let mut tx = ctx.write_by_proof(&[user.into()]).await?;
    end_one(ctx, &mut *tx, session, EndReason::SignedOut).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Ends the session of a refresh token, for whoever holds it. Ending it twice is no error.
pub async fn end_by_refresh_token(ctx: &Ctx, token: &SecretString) -> Result<()> {
    let refused = || Error::Unauthenticated(Unauthenticated::InvalidRefreshToken);
    let session = session_of(ctx, token).ok_or_else(refused)?;
    let mut tx = ctx.write_by_proof(&[]).await?;
    end_one(ctx, &mut *tx, session, EndReason::SignedOut).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Ends a session: one's own, or anybody's for those who may. Ending it twice is no error.
pub async fn end(ctx: &Ctx, id: SessionId) -> Result<()> {
    ctx.require_identity()?;
    let absent = || Error::NotFound(Resource::Session);
    // A session never changes its owner.
    let owner = ctx.store().read().await?.session_state(id).await?.ok_or_else(absent)?.user_id;
    let allowed = ctx.require_self_or_write(owner, Permission::SessionsWrite, Permission::SessionsRead);
    allowed.map_err(|error| match error {
        Error::NotFound(_) => absent(),
        other => other,
    })?;
    let mut tx = ctx.write_unlimited(&[owner.into()]).await?;
    require_authority_over(ctx, &mut *tx, Subject::User(owner)).await?;
    end_one(ctx, &mut *tx, id, EndReason::Revoked).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Ends every session of a user, or every one but `keep`, and says how many: one's own, or anybody's for those who may.
pub async fn end_of_user(ctx: &Ctx, user: UserId, keep: Option<SessionId>) -> Result<u64> {
    ctx.require_self_or_write(user, Permission::SessionsWrite, Permission::SessionsRead)?;
    let mut tx = ctx.write_unlimited(&[user.into()]).await?;
    require_authority_over(ctx, &mut *tx, Subject::User(user)).await?;
    let ended = match keep {
        Some(keep) => end_others(ctx, &mut *tx, user, keep, EndReason::Revoked).await?,
        None => end_all(ctx, &mut *tx, user, EndReason::Revoked).await?,
    };
    ctx.commit(tx).await?;
    Ok(ended)
}

/// How many sessions of a provider one transaction ends: others wait to write.
const PROVIDER_BATCH: u32 = 100;

/// Whether sessions that were opened through a provider can still be ended.
pub(crate) async fn are_of_provider(ctx: &Ctx, tx: &mut dyn WriteTx, provider: &ProviderName) -> Result<bool> {
    let first = IdentityId::from_uuid(Uuid::nil());
    Ok(!tx.list_provider_sessions(provider, first, ctx.now(), 1).await?.is_empty())
}

/// Ends every session that was opened through a disabled provider, in batches. If it is interrupted, calling it again
/// continues.
pub(crate) async fn end_of_provider(ctx: &Ctx, provider: &ProviderName) -> Result<()> {
    let mut from = IdentityId::from_uuid(Uuid::nil());
    loop {
        let mut read = ctx.store().snapshot().await?;
        let mut found = read.list_provider_sessions(provider, from, ctx.now(), PROVIDER_BATCH).await?;
        drop(read);
        let Some(last) = found.last() else { return Ok(()) };
        // Sessions of the same identity may follow; those that ended are not listed again.
        from = last.identity_id;
        // Each transaction locks users in the same order.
        found.sort_unstable_by_key(|session| (session.user_id, session.id));
        let mut tx = ctx.write_unlimited(&[]).await?;
        for session in found {
            end_one(ctx, &mut *tx, session.id, EndReason::ProviderDisabled).await?;
        }
        ctx.commit(tx).await?;
    }
}

/// Ends one session, and records it.
pub(crate) async fn end_one(ctx: &Ctx, tx: &mut dyn WriteTx, id: SessionId, reason: EndReason) -> Result<()> {
    if let Some(user) = tx.end_session(id, reason, ctx.now()).await? {
        record_ended(ctx, tx, user, &[id], reason);
        pending::end(ctx, tx, user, Ending::Session(id)).await?;
    }
    Ok(())
}

/// Ends every session of a user, records each, and says how many.
pub(crate) async fn end_all(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, reason: EndReason) -> Result<u64> {
    end_all_by(ctx, tx, user, reason, Ending::AllSessions).await
}

/// The same by an event that ends at least as much as the end of all sessions.
pub(crate) async fn end_all_by(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: UserId,
    reason: EndReason,
    ending: Ending,
) -> Result<u64> {
    let ended = tx.end_user_sessions(user, reason, ctx.now()).await?;
    record_ended(ctx, tx, user, &ended, reason);
    pending::end(ctx, tx, user, ending).await?;
    Ok(ended.len() as u64)
}

/// The same of all but one.
pub(crate) async fn end_others(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: UserId,
    keep: SessionId,
    reason: EndReason,
) -> Result<u64> {
    let ended = tx.end_other_sessions(user, keep, reason, ctx.now()).await?;
    record_ended(ctx, tx, user, &ended, reason);
    pending::end(ctx, tx, user, Ending::OtherSessions).await?;
    Ok(ended.len() as u64)
}
