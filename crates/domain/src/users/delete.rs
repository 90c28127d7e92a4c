//! Delete a user.

use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::{Happened, record, record_ended};
use crate::hooks::{self, After};
use crate::id::UserId;
use crate::roles::require_authority;
use crate::sessions::EndReason;
use crate::webhooks;

/// Deletes a user for good: oneself, or anybody for those who may write users. Sessions end with it.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn delete(ctx: &Ctx, id: UserId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require_self_or_write(id, Permission::UsersWrite, Permission::UsersRead)?;
    hooks::before_deletion(ctx, id).await?;

    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if expected.is_some_and(|versions| !versions.contains(&user.version)) {
        return Err(Error::Stale);
    }
    require_authority(ctx, &mut *tx, &user).await?;
    if user.is_active_admin() && !tx.has_other_active_admin(id).await? {
        return Err(Error::Conflict(Conflict::LastAdmin));
    }
    // For the record of each. All that is pending goes with the row.
    let ended = tx.end_user_sessions(id, EndReason::UserDeleted, ctx.now()).await?;
    record_ended(ctx, &mut *tx, id, &ended, EndReason::UserDeleted);
    tx.delete_user(id).await?;
    record(ctx, &mut *tx, id, Happened::UserDeleted { email: user.email.clone() });
    webhooks::disable_unauthorized(ctx, &mut *tx).await?;
    ctx.commit(tx).await?;
    hooks::after(ctx, || After::Deletion(Box::new(user))).await
}
