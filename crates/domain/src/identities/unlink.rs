//! Unlink an identity.

use super::Identity;
use crate::access::Permission;
use crate::credentials::methods::{Removal, has_other_method};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::{Happened, record, record_by};
use crate::id::{IdentityId, UserId};
use crate::mail::{self, MailSubject};
use crate::roles::require_authority;
use crate::sessions::{EndReason, end_all, end_others, step_up};
use crate::store::WriteTx;
use crate::users::User;

/// Unlinks one of the caller's identities; the caller must have authenticated recently. Their other sessions end.
///
/// # Errors
/// [`Conflict::LastWayIn`] when the user could no longer sign in; [`Error::StepUpRequired`].
pub async fn unlink(ctx: &Ctx, id: IdentityId) -> Result<()> {
    let (user_id, session) = ctx.signed_in()?;
    let mut tx = ctx.write_unlimited(&[user_id.into()]).await?;
    let user = tx.lock_user(user_id).await?.ok_or(Error::NotFound(Resource::User))?;
    step_up::require(ctx, &mut *tx).await?;
    let identity = find(&mut *tx, user_id, id).await?;
    if !has_other_method(ctx, &mut *tx, &user, Removal::Identity(id)).await? {
        return Err(Error::Conflict(Conflict::LastWayIn));
    }
    remove(ctx, &mut *tx, &user, identity).await?;
    end_others(ctx, &mut *tx, user_id, session, EndReason::Revoked).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Unlinks an identity of a user, for those who may write users. All sessions of the user end.
///
/// # Errors
/// [`Resource::User`], [`Resource::Identity`]; [`Conflict::LastWayIn`] when the user could no longer sign in.
pub async fn unlink_of(ctx: &Ctx, user_id: UserId, id: IdentityId) -> Result<()> {
    ctx.require(Permission::UsersWrite)?;
    let mut tx = ctx.write_unlimited(&[user_id.into()]).await?;
    let user = tx.lock_user(user_id).await?.ok_or(Error::NotFound(Resource::User))?;
    if ctx.is_user(user_id) {
        step_up::require(ctx, &mut *tx).await?;
    }
    require_authority(ctx, &mut *tx, &user).await?;
    let identity = find(&mut *tx, user_id, id).await?;
    if !has_other_method(ctx, &mut *tx, &user, Removal::Identity(id)).await? {
        return Err(Error::Conflict(Conflict::LastWayIn));
    }
    remove(ctx, &mut *tx, &user, identity).await?;
    end_all(ctx, &mut *tx, user_id, EndReason::Revoked).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Unlinks every identity of a [locked](crate::users::store::UserWrites::lock_user) user: they were linked before the
/// address was proven.
pub(crate) async fn unlink_all(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId) -> Result<()> {
    for identity in tx.list_identities(user).await? {
        tx.remove_identity(user, identity.id).await?;
        let provider = identity.provider.to_string();
        record_by(ctx, tx, user, Happened::IdentityUnlinked { identity_id: identity.id, provider });
    }
    Ok(())
}

async fn find(tx: &mut dyn WriteTx, user: UserId, id: IdentityId) -> Result<Identity> {
    let identities = tx.list_identities(user).await?;
    identities.into_iter().find(|identity| identity.id == id).ok_or(Error::NotFound(Resource::Identity))
}

async fn remove(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, identity: Identity) -> Result<()> {
    if !tx.remove_identity(user.id, identity.id).await? {
        return Err(Error::NotFound(Resource::Identity));
    }
    let provider = identity.provider.to_string();
    record(ctx, tx, user.id, Happened::IdentityUnlinked { identity_id: identity.id, provider });
    mail::tell(ctx, tx, user, MailSubject::IdentityUnlinked).await
}
