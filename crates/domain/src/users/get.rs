//! Look at one user, or at several.

use std::collections::HashMap;

use super::{EmailAddress, User};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::UserId;

/// The user with this id, to themselves and to those who may read users.
pub async fn get(ctx: &Ctx, id: UserId) -> Result<User> {
    ctx.require_self_or(id, Permission::UsersRead)?;
    let user = ctx.store().read().await?.find_user(id).await?;
    user.ok_or(Error::NotFound(Resource::User))
}

/// The user with this email address, for callers who may read users.
pub async fn get_by_email(ctx: &Ctx, email: &EmailAddress) -> Result<User> {
    ctx.require(Permission::UsersRead)?;
    let user = ctx.store().read().await?.find_user_by_email(email).await?;
    user.ok_or(Error::NotFound(Resource::User))
}

/// The users with these ids, in the same order, under the conditions of [`get`] for each.
pub async fn get_many(ctx: &Ctx, ids: &[UserId]) -> Result<Vec<User>> {
    for &id in ids {
        ctx.require_self_or(id, Permission::UsersRead)?;
    }
    let found = ctx.store().read().await?.find_users(ids).await?;
    let found: HashMap<UserId, User> = found.into_iter().map(|user| (user.id, user)).collect();
    let users = ids.iter().map(|id| found.get(id).cloned().ok_or(Error::NotFound(Resource::User)));
    users.collect()
}
