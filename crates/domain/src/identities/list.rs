//! List the identities of a user.

use super::Identity;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::UserId;

/// The caller's identities, oldest first.
pub async fn list(ctx: &Ctx) -> Result<Vec<Identity>> {
    let (user, _) = ctx.signed_in()?;
    Ok(ctx.store().read().await?.list_identities(user).await?)
}

/// The identities of a user, oldest first: one's own, or anybody's for those who may read users.
pub async fn list_of(ctx: &Ctx, user: UserId) -> Result<Vec<Identity>> {
    ctx.require_self_or(user, Permission::UsersRead)?;
    let mut read = ctx.store().snapshot().await?;
    read.find_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    Ok(read.list_identities(user).await?)
}
