//! Delete a webhook.

use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::WebhookId;

/// Deletes a webhook for good, and its deliveries with it.
///
/// `expected` lists the versions that the caller accepts to delete (`If-Match`); `None` accepts any.
pub async fn delete(ctx: &Ctx, id: WebhookId, expected: Option<&[i64]>) -> Result<()> {
    ctx.require(Permission::WebhooksWrite)?;
    let mut tx = ctx.store().write().await?;
    let webhook = tx.lock_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    if expected.is_some_and(|versions| !versions.contains(&webhook.version)) {
        return Err(Error::Stale);
    }
    tx.delete_webhook(id).await?;
    record(ctx, &mut *tx, id, Happened::WebhookDeleted { webhook_id: id });
    tx.commit().await?;
    Ok(())
}
