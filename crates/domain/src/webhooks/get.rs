//! Get a webhook.

use super::Webhook;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::WebhookId;

/// One webhook, without its secret.
pub async fn get(ctx: &Ctx, id: WebhookId) -> Result<Webhook> {
    ctx.require(Permission::WebhooksRead)?;
    let webhook = ctx.store().read().await?.find_webhook(id).await?;
    webhook.ok_or(Error::NotFound(Resource::Webhook))
}
