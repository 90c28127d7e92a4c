//! Deliver again. To a webhook that is disabled, that waits until it is active.

use super::{DeliveryState, Health, Webhook};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Resource, Result};
use crate::id::{DeliveryId, WebhookId};
use crate::store::WriteTx;
use crate::time::Timestamp;

/// How many deliveries are put back by one transaction, and by one request.
const AT_ONCE: u32 = 500;
const REQUEST_MAX: u64 = 50_000;

/// The deliveries to replay.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Parked or delivered ones.
    pub state: DeliveryState,
    /// Made at this moment or after it.
    pub from: Option<Timestamp>,
    /// Made before this moment.
    pub to: Option<Timestamp>,
}

/// Puts deliveries of a range back, the oldest first, and says how many: at most 50,000. They are tried anew for as long
/// as new ones are.
pub async fn replay(ctx: &Ctx, id: WebhookId, range: Range) -> Result<u64> {
    ctx.require(Permission::WebhooksWrite)?;
    ctx.require(Permission::EventsRead)?;
    if range.state == DeliveryState::Pending {
        return Err(FieldError::new("state", "invalid_value", "must be parked or delivered").into());
    }
    // What this request puts back is made after this moment, should it be delivered meanwhile.
    let to = range.to.unwrap_or_else(|| ctx.now());
    let from = range.from.unwrap_or(Timestamp::from_micros(0));
    if from > to && range.to.is_none() {
        return Err(FieldError::new("from", "out_of_range", "must not be in the future").into());
    }
    if from > to {
        return Err(FieldError::new("to", "out_of_range", "must not be before from").into());
    }
    let begun = ctx.now();
    let mut count = 0;
    loop {
        let mut tx = ctx.write().await?;
        let webhook = tx.lock_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
        let now = ctx.now();
        let gives_up_at = now.plus_seconds(ctx.policy().webhooks.retry_for_s);
        let subjects = tx.put_back_deliveries(id, range.state, (from, to), begun, gives_up_at, AT_ONCE).await?;
        let found = subjects.len();
        release(&mut *tx, webhook, subjects, now).await?;
        ctx.commit(tx).await?;
        count += found as u64;
        if found < AT_ONCE as usize || count >= REQUEST_MAX {
            return Ok(count);
        }
    }
}

/// Puts one delivery back, whatever has become of it. One that is pending is due at once, unless it is being made or an
/// earlier one about the same subject is.
pub async fn retry(ctx: &Ctx, webhook: WebhookId, id: DeliveryId) -> Result<()> {
    ctx.require(Permission::WebhooksWrite)?;
    ctx.require(Permission::EventsRead)?;
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let webhook = tx.lock_webhook(webhook).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    let gives_up_at = now.plus_seconds(ctx.policy().webhooks.retry_for_s);
    let subject = tx.put_back_delivery(webhook.id, id, now, gives_up_at).await?;
    let subject = subject.ok_or(Error::NotFound(Resource::Delivery))?;
    release(&mut *tx, webhook, vec![subject], now).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Makes the first delivery of each subject due, and ends a pause: whoever asks believes that it goes now.
async fn release(tx: &mut dyn WriteTx, webhook: Webhook, mut subjects: Vec<String>, now: Timestamp) -> Result<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    subjects.sort_unstable();
    subjects.dedup();
    tx.release_deliveries(webhook.id, &subjects, now).await?;
    if webhook.health.paused_until.is_some() {
        tx.set_webhook_health(webhook.id, Health { paused_until: None, ..webhook.health }).await?;
    }
    Ok(())
}
