//! Change a role.

use super::held::lock;
use super::{Description, Role, RoleKey, RoleName, SecondFactorPolicy};
use crate::access::{Permission, Permissions};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, FieldError, Result};
use crate::events::{Happened, record};
use crate::webhooks;

/// What of a role becomes what; what is `None` stays.
#[derive(Debug, Clone)]
pub struct RoleChange {
    /// What it is called already: its name stays.
    pub name: Option<RoleName>,
    /// Description.
    pub description: Option<Description>,
    /// What whoever has it may do; no more than the caller may.
    pub permissions: Option<Permissions>,
    /// Whether whoever has it must prove a second factor; as before, when nothing is said.
    pub second_factor: Option<SecondFactorPolicy>,
}

impl RoleChange {
    /// The role as it is after this change; its version and the time of its last change stay.
    #[must_use]
    pub fn applied_to(&self, before: &Role) -> Role {
        Role {
            description: self.description.clone().unwrap_or_else(|| before.description.clone()),
            permissions: self.permissions.unwrap_or(before.permissions),
            second_factor: self.second_factor.unwrap_or(before.second_factor),
            ..before.clone()
        }
    }
}

/// Changes a role. Whoever has it may do so much at once. Of a built-in role only `second_factor` can change.
///
/// `expected` lists the versions that the caller accepts to change (`If-Match`); `None` accepts any.
pub async fn update(ctx: &Ctx, key: &RoleKey, change: RoleChange, expected: Option<&[i64]>) -> Result<Role> {
    ctx.require(Permission::RolesWrite)?;
    let (mut tx, before) = lock(ctx, key).await?;
    let is_as_before = change.permissions.is_none_or(|permissions| permissions == before.permissions)
        && change.description.as_ref().is_none_or(|description| *description == before.description);
    if before.name.built_in().is_some() && !is_as_before {
        return Err(Error::Conflict(Conflict::RoleBuiltIn));
    }
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    if change.name.as_ref().is_some_and(|name| *name != before.name) {
        return Err(FieldError::new("name", "immutable", "must be the current name of the role").into());
    }
    // What others are granted, and what is taken from those who may do more, is bounded by what the caller holds.
    let mut role = change.applied_to(&before);
    ctx.require_held(role.permissions)?;
    ctx.require_held(before.permissions)?;
    if role.second_factor != before.second_factor {
        role.second_factor.require_available(ctx)?;
    }
    if role == before {
        // What was read may come from a write that shares this transaction.
        ctx.commit(tx).await?;
        return Ok(before);
    }
    role.version += 1;
    role.updated_at = ctx.now();
    tx.update_role(&role).await?;
    record(
        ctx,
        &mut *tx,
        role.id,
        Happened::RoleUpdated {
            name: role.name.clone(),
            permissions: role.permissions,
            requires_second_factor: role.second_factor.requires_second_factor(),
            requires_passkey: role.second_factor.requires_passkey(),
        },
    );
    if role.permissions != before.permissions {
        webhooks::disable_unauthorized(ctx, &mut *tx).await?;
    }
    ctx.commit(tx).await?;
    Ok(role)
}
