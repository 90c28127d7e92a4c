//! List API keys.

use super::ApiKey;
use crate::access::{Permission, Subject};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{COUNTED_MAX, Listed, Page, Total};

/// Whose keys to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFilter {
    /// Everybody's.
    All,
    /// Those of one owner.
    Owner(Subject),
}

/// A page of keys, newest first: one's own, or anybody's for those who may see them.
pub async fn list(ctx: &Ctx, filter: KeyFilter, page: Page, total: Total) -> Result<Listed<ApiKey>> {
    match filter {
        KeyFilter::Owner(Subject::User(user)) => ctx.require_self_or(user, Permission::ApiKeysRead)?,
        KeyFilter::Owner(Subject::ServiceAccount(_)) => ctx.require(Permission::ServiceAccountsRead)?,
        KeyFilter::All => {
            ctx.require(Permission::ApiKeysRead)?;
            ctx.require(Permission::ServiceAccountsRead)?;
        }
    }
    let mut tx = ctx.reads_of(total).await?;
    let items = tx.list_api_keys(filter, page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_api_keys(filter, COUNTED_MAX).await?),
    };
    Ok(Listed::of(items, page, total, ApiKey::position))
}
