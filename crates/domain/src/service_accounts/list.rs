//! List service accounts.

use super::ServiceAccount;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{COUNTED_MAX, Listed, Page, Total};

/// A page of the service accounts, newest first.
pub async fn list(ctx: &Ctx, page: Page, total: Total) -> Result<Listed<ServiceAccount>> {
    ctx.require(Permission::ServiceAccountsRead)?;
    let mut tx = ctx.reads_of(total).await?;
    let items = tx.list_service_accounts(page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_service_accounts(COUNTED_MAX).await?),
    };
    Ok(Listed::of(items, page, total, ServiceAccount::position))
}
