//! Create a service account.

use super::ServiceAccount;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::{Happened, record};
use crate::id::ServiceAccountId;
use crate::roles::{Description, RoleName, require_grantable};
use crate::users::{DisplayName, Status};

/// What a new service account is made of.
#[derive(Debug)]
pub struct NewServiceAccount {
    /// Display name.
    pub name: DisplayName,
    /// Description.
    pub description: Description,
    /// Its role; may do no more than the caller may.
    pub role: RoleName,
    /// Whether its keys work: active or disabled.
    pub status: Status,
}

/// Creates a service account. It can do nothing until it has an API key.
pub async fn create(ctx: &Ctx, new: NewServiceAccount) -> Result<ServiceAccount> {
    ctx.require(Permission::ServiceAccountsWrite)?;
    let now = ctx.now();
    let account = ServiceAccount {
        id: ServiceAccountId::from_uuid(ctx.new_id()),
        name: new.name,
        description: new.description,
        role: new.role,
        status: new.status,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let mut tx = ctx.write().await?;
    require_grantable(ctx, &mut *tx, &account.role).await?;
    tx.insert_service_account(&account).await?;
    let (name, role) = (account.name.clone(), account.role.clone());
    record(ctx, &mut *tx, account.id, Happened::ServiceAccountCreated { name, role });
    ctx.commit(tx).await?;
    Ok(account)
}
