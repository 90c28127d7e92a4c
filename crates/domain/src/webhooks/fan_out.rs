//! From the log to deliveries.

use std::collections::HashSet;

use super::{NewDelivery, Webhook, WebhookStatus};
use crate::ctx::Services;
use crate::error::Result;
use crate::events::Event;
use crate::id::DeliveryId;

/// How many events are fanned out by one transaction.
const EVENTS_AT_ONCE: u32 = 200;

/// Adds the deliveries of the next events, and says whether there may be more. When there are none, this is one look at
/// two rows. Of several who ask, over all nodes, one works and the others are done at once.
pub async fn fan_out(services: &Services) -> Result<bool> {
    let mut tx = services.store.read().await?;
    let head = tx.log_bounds().await?.head;
    if tx.webhook_cursor().await? >= head {
        return Ok(false);
    }
    drop(tx);
    let mut tx = services.store.write().await?;
    let Some(cursor) = tx.lock_webhook_cursor().await? else { return Ok(false) };
    let head = tx.log_bounds().await?.head;
    // They are held until the deliveries are there: whoever settles one meanwhile could not know what follows on it.
    let webhooks = tx.lock_webhooks().await?;
    let webhooks: Vec<Webhook> =
        webhooks.into_iter().filter(|webhook| webhook.status == WebhookStatus::Active).collect();
    let (reached, has_more) = if webhooks.is_empty() {
        (head, false)
    } else {
        let events = tx.events_between(cursor, head, EVENTS_AT_ONCE).await?;
        let reached = events.last().map_or(head, |last| last.position);
        let now = services.clock.now();
        let deliveries = deliveries(services, &webhooks, &events);
        if !deliveries.is_empty() {
            let gives_up_at = now.plus_seconds(services.policy.webhooks.retry_for_s);
            tx.insert_deliveries(&deliveries, now, gives_up_at).await?;
        }
        (reached, reached < head)
    };
    tx.move_webhook_cursor(reached.max(cursor)).await?;
    tx.commit().await?;
    Ok(has_more)
}

fn deliveries(services: &Services, webhooks: &[Webhook], events: &[Event]) -> Vec<NewDelivery> {
    let mut deliveries = Vec::new();
    let mut subjects = HashSet::new();
    for event in events {
        for webhook in webhooks {
            if event.position <= webhook.since || !webhook.types.admit(&event.kind) {
                continue;
            }
            let subject = event.about.as_str().unwrap_or_default();
            deliveries.push(NewDelivery {
                id: DeliveryId::new(services.clock.as_ref(), services.random.as_ref()),
                webhook: webhook.id,
                event_position: event.position,
                event: event.id,
                kind: event.kind.clone(),
                subject: subject.to_owned(),
                is_first: subjects.insert((webhook.id, subject)),
            });
        }
    }
    deliveries
}
