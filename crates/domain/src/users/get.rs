//! Look at one user.

use super::User;
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
