//! Update a service account.

use super::ServiceAccount;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::ServiceAccountId;
use crate::roles::{Description, RoleName, require_grantable, require_outranked};
use crate::users::{DisplayName, Status};
use crate::webhooks;

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ServiceAccountChange {
    /// A new name.
    pub name: Option<DisplayName>,
    /// Another description.
    pub description: Option<Description>,
    /// Another role; may do no more than the caller may.
    pub role: Option<RoleName>,
    /// Active or disabled.
    pub status: Option<Status>,
}

impl ServiceAccountChange {
    /// The service account as it is after this change; its version and the time of its last change stay.
    #[must_use]
    pub fn applied_to(self, before: &ServiceAccount) -> ServiceAccount {
        let before = before.clone();
        ServiceAccount {
            name: self.name.unwrap_or(before.name),
            description: self.description.unwrap_or(before.description),
            role: self.role.unwrap_or(before.role),
            status: self.status.unwrap_or(before.status),
            ..before
        }
    }
}

/// Changes a service account. Its keys and tokens feel it at once.
///
/// `expected` lists the versions that the caller accepts to change (`If-Match`); `None` accepts any.
pub async fn update(
    ctx: &Ctx,
    id: ServiceAccountId,
    change: ServiceAccountChange,
    expected: Option<&[i64]>,
) -> Result<ServiceAccount> {
    ctx.require(Permission::ServiceAccountsWrite)?;
    let mut tx = ctx.write_on(&[id.into()]).await?;
    let before = tx.lock_service_account(id).await?.ok_or(Error::NotFound(Resource::ServiceAccount))?;
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    require_outranked(ctx, &mut *tx, &before.role).await?;
    let mut account = change.applied_to(&before);
    if account == before {
        // What was read may come from a write that shares this transaction.
        ctx.commit(tx).await?;
        return Ok(before);
    }
    if account.role != before.role {
        require_grantable(ctx, &mut *tx, &account.role).await?;
    }
    account.version += 1;
    account.updated_at = ctx.now();
    tx.update_service_account(&account).await?;
    record(ctx, &mut *tx, id, updated(&before, &account));
    if account.status != before.status || account.role != before.role {
        webhooks::disable_unauthorized(ctx, &mut *tx).await?;
    }
    ctx.commit(tx).await?;
    Ok(account)
}

fn updated(before: &ServiceAccount, now: &ServiceAccount) -> Happened {
    let is_changed = [
        ("name", now.name != before.name),
        ("description", now.description != before.description),
        ("role", now.role != before.role),
        ("status", now.status != before.status),
    ];
    Happened::ServiceAccountUpdated {
        changed: is_changed.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect(),
        name: now.name.clone(),
        role: now.role.clone(),
        status: now.status,
    }
}
