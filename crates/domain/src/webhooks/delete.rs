//! Delete a webhook.

use super::update::changed;
use super::{Webhook, WebhookStatus, host_of};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::WebhookId;
use crate::store::WriteTx;

/// How many deliveries one transaction removes: others wait to write.
const BATCH: u32 = 1_000;

/// Permanently deletes a webhook and its deliveries.
///
/// Up to 1,000 deliveries are deleted with the webhook in one transaction. If there are more, the webhook is disabled first,
/// so that no further ones are created, and deleted after them. If that is interrupted, deleting it again continues.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn delete(ctx: &Ctx, id: WebhookId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require(Permission::WebhooksWrite)?;
    let mut tx = ctx.write().await?;
    let webhook = tx.lock_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    if expected.is_some_and(|versions| !versions.contains(&webhook.version)) {
        return Err(Error::Stale);
    }
    if tx.remove_deliveries_to(id, BATCH).await? < u64::from(BATCH) {
        return finish(ctx, tx, id).await;
    }
    if webhook.status == WebhookStatus::Active {
        let disabled = Webhook {
            status: WebhookStatus::Disabled,
            version: webhook.version + 1,
            updated_at: ctx.now(),
            ..webhook.clone()
        };
        tx.update_webhook(&disabled).await?;
        let host = host_of(ctx, &disabled.url).unwrap_or_default();
        let changed = changed(&webhook, &disabled);
        record(ctx, &mut *tx, id, Happened::WebhookUpdated { webhook_id: id, host, changed });
    }
    ctx.commit(tx).await?;
    while remove_some(ctx, id).await? == u64::from(BATCH) {}
    finish(ctx, ctx.write().await?, id).await
}

async fn finish(ctx: &Ctx, mut tx: Box<dyn WriteTx>, id: WebhookId) -> Result<()> {
    if !tx.delete_webhook(id).await? {
        return Err(Error::NotFound(Resource::Webhook));
    }
    record(ctx, &mut *tx, id, Happened::WebhookDeleted { webhook_id: id });
    ctx.commit(tx).await
}

async fn remove_some(ctx: &Ctx, id: WebhookId) -> Result<u64> {
    let mut tx = ctx.write().await?;
    let removed = tx.remove_deliveries_to(id, BATCH).await?;
    ctx.commit(tx).await?;
    Ok(removed)
}
