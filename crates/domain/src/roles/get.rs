//! Get a role.

use super::{Role, RoleKey};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};

/// One role.
pub async fn get(ctx: &Ctx, key: &RoleKey) -> Result<Role> {
    ctx.require(Permission::RolesRead)?;
    let role = ctx.store().read().await?.find_role(key).await?;
    role.ok_or(Error::NotFound(Resource::Role))
}
