//! List roles.

use super::Role;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{Listed, Page, Total};

/// A page of the roles, newest first.
pub async fn list(ctx: &Ctx, page: Page, total: Total) -> Result<Listed<Role>> {
    ctx.require(Permission::RolesRead)?;
    let mut tx = ctx.reads_of(total).await?;
    let items = tx.list_roles(page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_roles().await?),
    };
    Ok(Listed::of(items, page, total, Role::position))
}
