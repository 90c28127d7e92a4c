//! Roles in the hands of others: what one may do, whether it exists, and who may give it.

use super::{Role, RoleKey, RoleName};
use crate::access::{Permissions, Subject};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Resource, Result};
use crate::id::UserId;
use crate::store::{ReadTx, StoreError, WriteTx};
use crate::users::User;

/// What a role may do; nothing when there is no such role.
pub(crate) async fn permissions_of(tx: &mut dyn ReadTx, name: &RoleName) -> Result<Permissions, StoreError> {
    Ok(find(tx, name).await?.unwrap_or_default())
}

/// Refuses the name of a role that does not exist.
pub(crate) async fn require_known(ctx: &Ctx, name: &RoleName) -> Result<()> {
    if name.built_in().is_none() {
        find(&mut *ctx.store().read().await?, name).await?.ok_or_else(unknown)?;
    }
    Ok(())
}

/// Refuses a role that does not exist, or may do more than the caller; else it exists until the transaction ends.
pub(crate) async fn require_grantable(ctx: &Ctx, tx: &mut dyn WriteTx, name: &RoleName) -> Result<()> {
    let permissions = match name.built_in() {
        Some(permissions) => permissions,
        None => tx.share_role(name).await?.ok_or_else(unknown)?.permissions,
    };
    ctx.require_held(permissions)
}

/// Refuses a caller over whom somebody with this role stands: who may do more is not theirs to change.
pub(crate) async fn require_outranked(ctx: &Ctx, tx: &mut dyn ReadTx, name: &RoleName) -> Result<()> {
    let theirs = permissions_of(tx, name).await?;
    if ctx.permissions().contains_all(theirs) { Ok(()) } else { Err(Error::Forbidden) }
}

/// Refuses a caller who is neither this user, signed in themselves, nor may do all that the user may. A key of the
/// user's is not the user: it may carry less.
pub(crate) async fn require_authority(ctx: &Ctx, tx: &mut dyn ReadTx, user: &User) -> Result<()> {
    if is_signed_in_as(ctx, user.id) {
        return Ok(());
    }
    require_outranked(ctx, tx, &user.role).await
}

/// The same for an account of either kind, by its id: for acts on its sessions and API keys. One that is gone has none.
pub(crate) async fn require_authority_over(ctx: &Ctx, tx: &mut dyn ReadTx, subject: Subject) -> Result<()> {
    let role = match subject {
        Subject::User(id) if is_signed_in_as(ctx, id) => return Ok(()),
        Subject::User(id) => tx.find_user(id).await?.map(|user| user.role),
        Subject::ServiceAccount(id) => tx.find_service_account(id).await?.map(|account| account.role),
    };
    match role {
        Some(role) => require_outranked(ctx, tx, &role).await,
        None => Ok(()),
    }
}

/// The same for a role: it is changed and deleted by callers who may do all that it allows.
pub(crate) fn require_over_role(ctx: &Ctx, role: &Role) -> Result<()> {
    if ctx.permissions().contains_all(role.permissions) { Ok(()) } else { Err(Error::Forbidden) }
}

/// A role that is locked against the writes of those who have it, and the transaction that changes it.
pub(super) async fn lock(ctx: &Ctx, key: &RoleKey) -> Result<(Box<dyn WriteTx>, Role)> {
    let absent = || Error::NotFound(Resource::Role);
    // A role never changes its name.
    let name = ctx.store().read().await?.find_role(key).await?.ok_or_else(absent)?.name;
    let mut tx = ctx.write_on(&[name.into()]).await?;
    let role = tx.lock_role(key).await?.ok_or_else(absent)?;
    Ok((tx, role))
}

fn is_signed_in_as(ctx: &Ctx, user: UserId) -> bool {
    ctx.signed_in().is_ok_and(|(caller, _)| caller == user)
}

async fn find(tx: &mut dyn ReadTx, name: &RoleName) -> Result<Option<Permissions>, StoreError> {
    if let Some(permissions) = name.built_in() {
        return Ok(Some(permissions));
    }
    Ok(tx.find_role(&RoleKey::Name(name.clone())).await?.map(|role| role.permissions))
}

fn unknown() -> Error {
    FieldError::new("role", "unknown_role", "must be the name of a role").into()
}
