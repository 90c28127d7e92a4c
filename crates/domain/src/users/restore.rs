//! Restore a user whose deletion is scheduled.

use super::{User, record_update};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::UserId;
use crate::roles::require_authority;
use crate::webhooks;

/// Cancels the scheduled deletion of a user, and restores the previous status. Sessions stay ended. Does nothing if no
/// deletion is scheduled.
///
/// # Errors
/// [`Resource::User`] if there is no such user, or the user has been deleted.
pub async fn restore(ctx: &Ctx, id: UserId) -> Result<User> {
    ctx.require(Permission::UsersWrite)?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let before = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    require_authority(ctx, &mut *tx, &before).await?;
    let Some(deletion) = before.deletion else {
        ctx.commit(tx).await?;
        return Ok(before);
    };
    let user = User {
        status: deletion.status_before,
        deletion: None,
        version: before.version + 1,
        updated_at: ctx.now(),
        ..before.clone()
    };
    tx.update_user(&user).await?;
    record_update(ctx, &mut *tx, &before, &user);
    webhooks::disable_unauthorized(ctx, &mut *tx).await?;
    ctx.commit(tx).await?;
    Ok(user)
}
