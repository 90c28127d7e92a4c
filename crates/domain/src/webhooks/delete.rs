//! Delete a webhook.

use super::{Webhook, WebhookStatus};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::WebhookId;

/// How many deliveries are removed by one transaction: others wait to write.
const AT_ONCE: u32 = 1_000;

/// Deletes a webhook for good, and its deliveries with it.
///
/// There may be very many: they go a few at a time, while it is disabled so that none is added, and it goes last. Should that
/// be cut short, it is deleted by asking again.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn delete(ctx: &Ctx, id: WebhookId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require(Permission::WebhooksWrite)?;
    let mut tx = ctx.write().await?;
    let webhook = tx.lock_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    if expected.is_some_and(|versions| !versions.contains(&webhook.version)) {
        return Err(Error::Stale);
    }
    if webhook.status == WebhookStatus::Active {
        tx.update_webhook(&Webhook { status: WebhookStatus::Disabled, ..webhook }).await?;
    }
    ctx.commit(tx).await?;
    while remove_some(ctx, id).await? == u64::from(AT_ONCE) {}
    let mut tx = ctx.write().await?;
    if !tx.delete_webhook(id).await? {
        return Err(Error::NotFound(Resource::Webhook));
    }
    record(ctx, &mut *tx, id, Happened::WebhookDeleted { webhook_id: id });
    ctx.commit(tx).await?;
    Ok(())
}

async fn remove_some(ctx: &Ctx, id: WebhookId) -> Result<u64> {
    let mut tx = ctx.write().await?;
    let removed = tx.remove_deliveries_to(id, AT_ONCE).await?;
    ctx.commit(tx).await?;
    Ok(removed)
}
