//! Create a role.

use super::{Description, Role, RoleName, SecondFactorPolicy};
use crate::access::{Permission, Permissions};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::{Happened, record};
use crate::id::RoleId;

/// What a new role is made of.
#[derive(Debug)]
pub struct NewRole {
    /// Display name.
    pub name: RoleName,
    /// Description.
    pub description: Description,
    /// What whoever has it may do; no more than the caller may.
    pub permissions: Permissions,
    /// Whether holders of the role must authenticate with a second factor.
    pub second_factor: SecondFactorPolicy,
}

/// Creates a role.
pub async fn create(ctx: &Ctx, new: NewRole) -> Result<Role> {
    ctx.require(Permission::RolesWrite)?;
    ctx.require_held(new.permissions)?;
    new.second_factor.require_available(ctx)?;
    let now = ctx.now();
    let role = Role {
        id: RoleId::from_uuid(ctx.new_id()),
        name: new.name,
        description: new.description,
        permissions: new.permissions,
        second_factor: new.second_factor,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let mut tx = ctx.write().await?;
    if !tx.insert_role(&role).await? {
        return Err(Error::Conflict(Conflict::RoleNameTaken));
    }
    record(
        ctx,
        &mut *tx,
        role.id,
        Happened::RoleCreated {
            name: role.name.clone(),
            permissions: role.permissions,
            requires_second_factor: role.second_factor.requires_second_factor(),
            requires_passkey: role.second_factor.requires_passkey(),
        },
    );
    ctx.commit(tx).await?;
    Ok(role)
}
