//! Rotate the secret of a webhook.

use super::store::SealedSecrets;
use super::{IssuedWebhook, Webhook, secret};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::WebhookId;

/// How long requests are signed with the secret before, too, when nothing is said, in seconds: a day.
pub const OVERLAP_DEFAULT_S: u32 = 24 * 60 * 60;
/// How long they may be, in seconds: 30 days.
pub const OVERLAP_MAX_S: u32 = 30 * 24 * 60 * 60;

/// Gives a webhook a new secret. Requests carry a signature by the one before as well for `overlap_s`, at most
/// [`OVERLAP_MAX_S`].
///
/// `expected` lists the versions that the caller accepts to change (`If-Match`); `None` accepts any.
pub async fn rotate_secret(
    ctx: &Ctx,
    id: WebhookId,
    overlap_s: u32,
    expected: Option<&[i64]>,
) -> Result<IssuedWebhook> {
    ctx.require(Permission::WebhooksWrite)?;
    ctx.require(Permission::EventsRead)?;
    let now = ctx.now();
    let secret = secret::generate(ctx.services().random.as_ref());
    let current = secret::seal(ctx.services().vault.as_ref(), id, &secret);
    let mut tx = ctx.write().await?;
    let before = tx.lock_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    let sealed = tx.find_webhook_secrets(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    let previous_until = now.plus_seconds(overlap_s.min(OVERLAP_MAX_S));
    let previous = (previous_until > now).then_some((sealed.current, previous_until));
    let webhook = Webhook { version: before.version + 1, updated_at: now, ..before };
    tx.update_webhook(&webhook).await?;
    tx.set_webhook_secrets(id, &SealedSecrets { current, previous }).await?;
    record(ctx, &mut *tx, id, Happened::WebhookSecretRotated { webhook_id: id, previous_until });
    ctx.commit(tx).await?;
    Ok(IssuedWebhook { webhook, secret })
}
