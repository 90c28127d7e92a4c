//! See what was delivered to a webhook, and what was not. Deliveries tell what happened, to whom and when: whoever sees them
//! must be allowed to read events.

use super::{Delivery, DeliveryState};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::{DeliveryId, WebhookId};
use crate::page::{COUNTED_MAX, Listed, Page, Total};

/// A page of the deliveries to a webhook, newest first; of one state, if that is asked for.
pub async fn list_deliveries(
    ctx: &Ctx,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    page: Page,
    total: Total,
) -> Result<Listed<Delivery>> {
    ctx.require(Permission::WebhooksRead)?;
    ctx.require(Permission::EventsRead)?;
    let mut tx = ctx.reads_of(total).await?;
    tx.find_webhook(webhook).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    let items = tx.list_deliveries(webhook, state, page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_deliveries(webhook, state, COUNTED_MAX).await?),
    };
    Ok(Listed::of(items, page, total, Delivery::position))
}

/// One delivery.
pub async fn get_delivery(ctx: &Ctx, webhook: WebhookId, id: DeliveryId) -> Result<Delivery> {
    ctx.require(Permission::WebhooksRead)?;
    ctx.require(Permission::EventsRead)?;
    let mut tx = ctx.store().read().await?;
    tx.find_webhook(webhook).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    tx.find_delivery(webhook, id).await?.ok_or(Error::NotFound(Resource::Delivery))
}
