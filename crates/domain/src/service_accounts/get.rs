//! Get a service account.

use super::ServiceAccount;
use crate::access::{Permission, Subject};
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::ServiceAccountId;

/// One service account: itself, or any for those who may see them.
pub async fn get(ctx: &Ctx, id: ServiceAccountId) -> Result<ServiceAccount> {
    let is_itself = ctx.principal().is_ok_and(|principal| principal.subject == Subject::ServiceAccount(id));
    if !is_itself {
        ctx.require(Permission::ServiceAccountsRead)?;
    }
    let account = ctx.store().read().await?.find_service_account(id).await?;
    account.ok_or(Error::NotFound(Resource::ServiceAccount))
}
