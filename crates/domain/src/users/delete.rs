//! Delete a user, at once or after a grace period.

use std::sync::Arc;

use super::{Deletion, Status, User, record_update};
use crate::access::{Actor, Origin, Permission};
use crate::budgets;
use crate::ctx::{Ctx, Services};
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::{Happened, record, record_ended};
use crate::hooks::{self, After};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::pending::Ending;
use crate::roles::require_authority;
use crate::sessions::{EndReason, end_all_by};
use crate::store::WriteTx;
use crate::time::Timestamp;
use crate::webhooks;

/// How long one node has to delete the users that it took, and after which time a failed deletion is retried, in seconds.
const RETRY_AFTER_S: u32 = 15 * 60;

/// When a user is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletionTime {
    /// After the grace period, `users.deletion_grace_days`.
    #[default]
    AfterGracePeriod,
    /// At once. With a grace period, this requires `users:write`.
    Now,
}

/// Deletes a user: oneself, or any user with `users:write`. All sessions end. With a grace period, the user is disabled
/// and the deletion is scheduled; repeating the request does not change the scheduled time. Returns that time, or `None`
/// if the user was deleted.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
///
/// # Errors
/// [`Error::Stale`], [`Conflict::LastAdmin`], or a hook refuses the deletion.
pub async fn delete(ctx: &Ctx, id: UserId, expected: Option<&[i64]>, time: DeletionTime) -> Result<Option<Timestamp>> {
    ctx.require_self_or_write(id, Permission::UsersWrite, Permission::UsersRead)?;
    let grace_s = ctx.policy().deletion_grace_s;
    let is_scheduled = grace_s > 0 && time == DeletionTime::AfterGracePeriod;
    if grace_s > 0 && !is_scheduled {
        ctx.require(Permission::UsersWrite)?;
    }
    if !is_scheduled {
        hooks::before_deletion(ctx, id).await?;
    }

    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    let user = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if expected.is_some_and(|versions| !versions.contains(&user.version)) {
        return Err(Error::Stale);
    }
    require_authority(ctx, &mut *tx, &user).await?;
    if user.is_active_admin() && !tx.has_other_active_admin(id).await? {
        return Err(Error::Conflict(Conflict::LastAdmin));
    }
    if is_scheduled {
        let after = match user.deletion {
            Some(deletion) => deletion.after,
            None => schedule(ctx, &mut *tx, &user, ctx.now().plus_seconds(grace_s)).await?,
        };
        ctx.commit(tx).await?;
        return Ok(Some(after));
    }
    remove(ctx, &mut *tx, &user).await?;
    ctx.commit(tx).await?;
    hooks::after(ctx, || After::Deletion(Box::new(user))).await?;
    Ok(None)
}

/// Disables a [locked](crate::users::store::UserWrites::lock_user) user until the deletion.
async fn schedule(ctx: &Ctx, tx: &mut dyn WriteTx, before: &User, after: Timestamp) -> Result<Timestamp> {
    let user = User {
        status: Status::Disabled,
        deletion: Some(Deletion { after, status_before: before.status }),
        version: before.version + 1,
        updated_at: ctx.now(),
        ..before.clone()
    };
    // The address does not change, so it cannot be taken.
    tx.update_user(&user).await?;
    record_update(ctx, tx, before, &user);
    end_all_by(ctx, tx, user.id, EndReason::UserDisabled, Ending::Disabled).await?;
    webhooks::disable_unauthorized(ctx, tx).await?;
    let subject = MailSubject::DeletionScheduled;
    if budgets::admit_notification(ctx, tx, &user, subject.as_str()).await? {
        // The mail states the time that remains until it expires.
        mail::enqueue(ctx, tx, (&user, &user.email), subject, after).await?;
    }
    Ok(after)
}

/// Removes a [locked](crate::users::store::UserWrites::lock_user) user.
async fn remove(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User) -> Result<()> {
    // For the record of each. All that is pending goes with the row.
    let ended = tx.end_user_sessions(user.id, EndReason::UserDeleted, ctx.now()).await?;
    record_ended(ctx, tx, user.id, &ended, EndReason::UserDeleted);
    tx.delete_user(user.id).await?;
    record(ctx, tx, user.id, Happened::UserDeleted { email: user.email.clone() });
    webhooks::disable_unauthorized(ctx, tx).await
}

/// Deletes at most so many users whose grace period has passed, each in a transaction of its own, and returns how many
/// were due. A user whose deletion fails does not hold up the others; it is retried after 15 minutes.
///
/// # Errors
/// The first error of the database, or of a hook that refuses or fails.
pub async fn purge(services: &Arc<Services>, limit: u32) -> Result<u64> {
    let ctx = Ctx::new(Arc::clone(services), Actor::System, Origin::default());
    let now = ctx.now();
    let mut tx = services.store.write().await?;
    let due = tx.take_due_deletions(now, now.plus_seconds(RETRY_AFTER_S), limit).await?;
    tx.commit().await?;
    let mut first_error = None;
    for id in &due {
        if let Err(error) = delete_if_due(&ctx, *id).await {
            first_error.get_or_insert(error);
        }
    }
    first_error.map_or(Ok(due.len() as u64), Err)
}

async fn delete_if_due(ctx: &Ctx, id: UserId) -> Result<()> {
    let is_due = |user: &User| user.deletion.is_some_and(|deletion| deletion.after <= ctx.now());
    let found = ctx.store().read().await?.find_user(id).await?;
    let Some(user) = found.filter(is_due) else { return Ok(()) };
    hooks::before_due_deletion(ctx, &user).await?;
    let mut tx = ctx.write_unlimited(&[id.into()]).await?;
    // The user may have been restored since.
    let Some(user) = tx.lock_user(id).await?.filter(is_due) else { return Ok(()) };
    remove(ctx, &mut *tx, &user).await?;
    ctx.commit(tx).await?;
    hooks::after_due_deletion(ctx, user);
    Ok(())
}
