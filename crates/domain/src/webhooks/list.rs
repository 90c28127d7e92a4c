//! List webhooks.

use super::Webhook;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{Listed, Page, Total};

/// A page of the webhooks, newest first.
pub async fn list(ctx: &Ctx, page: Page, total: Total) -> Result<Listed<Webhook>> {
    ctx.require(Permission::WebhooksRead)?;
    let mut tx = ctx.reads_of(total).await?;
    let items = tx.list_webhooks(page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_webhooks().await?),
    };
    Ok(Listed::of(items, page, total, Webhook::position))
}
