//! Delete a service account.

use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::ServiceAccountId;
use crate::roles::require_outranked;
use crate::webhooks;

/// Deletes a service account for good, and its keys with it.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn delete(ctx: &Ctx, id: ServiceAccountId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require(Permission::ServiceAccountsWrite)?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let account = tx.lock_service_account(id).await?.ok_or(Error::NotFound(Resource::ServiceAccount))?;
    if expected.is_some_and(|versions| !versions.contains(&account.version)) {
        return Err(Error::Stale);
    }
    require_outranked(ctx, &mut *tx, &account.role).await?;
    tx.delete_service_account(id).await?;
    record(ctx, &mut *tx, id, Happened::ServiceAccountDeleted { name: account.name });
    webhooks::disable_unauthorized(ctx, &mut *tx).await?;
    ctx.commit(tx).await?;
    Ok(())
}
