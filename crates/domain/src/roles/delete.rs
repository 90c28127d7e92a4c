//! Delete a role.

use super::RoleKey;
use super::held::{lock, require_over_role};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::{Happened, record};

/// Deletes a role that nobody has.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn delete(ctx: &Ctx, key: &RoleKey, expected: Option<&[i64]>) -> Result<()> {
    ctx.require(Permission::RolesWrite)?;
    let (mut tx, role) = lock(ctx, key).await?;
    require_over_role(ctx, &role)?;
    if role.name.built_in().is_some() {
        return Err(Error::Conflict(Conflict::RoleBuiltIn));
    }
    if expected.is_some_and(|versions| !versions.contains(&role.version)) {
        return Err(Error::Stale);
    }
    // Nobody can be given it meanwhile: who gives a role shares it until they are done.
    if tx.has_role_holders(&role.name).await? {
        return Err(Error::Conflict(Conflict::RoleInUse));
    }
    tx.delete_role(role.id).await?;
    record(ctx, &mut *tx, role.id, Happened::RoleDeleted { name: role.name });
    ctx.commit(tx).await?;
    Ok(())
}
