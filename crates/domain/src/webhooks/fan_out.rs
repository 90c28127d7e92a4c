//! From the log to deliveries.

use std::collections::HashSet;

use super::{NewDelivery, WEBHOOKS_MAX, Webhook, WebhookStatus};
use crate::ctx::Services;
use crate::error::Result;
use crate::events::Event;
use crate::id::DeliveryId;
use crate::page::{Page, Start};
use crate::store::ReadTx;

/// How many events are looked at by one transaction, and how many deliveries it adds about: others wait to write.
const EVENTS_AT_ONCE: u32 = 200;
const DELIVERIES_AT_ONCE: usize = 1_000;
/// After so many events that are for nobody the cursor moves nevertheless. For each of them it would cost a write.
const EVENTS_UNWRITTEN: usize = 100;

/// Adds the deliveries of the next events, and says whether there may be more. When there are none, this is a look at a
/// few rows. Of several who ask, over all nodes, one works and the others are done at once.
pub async fn fan_out(services: &Services) -> Result<bool> {
    let mut tx = services.store.read().await?;
    if !is_worth_a_write(&mut *tx).await? {
        return Ok(false);
    }
    drop(tx);
    let mut tx = services.store.write().await?;
    let Some(cursor) = tx.lock_webhook_cursor().await? else { return Ok(false) };
    // They are held until the deliveries are there: whoever settles one meanwhile could not know what follows on it.
    let webhooks = active(tx.lock_webhooks().await?);
    let Some(start) = start(cursor, &webhooks) else { return Ok(false) };
    let head = tx.log_bounds().await?.head;
    let events = tx.events_between(start, head, EVENTS_AT_ONCE).await?;
    let (deliveries, reached) = deliveries(services, &webhooks, &events);
    if !deliveries.is_empty() {
        let now = services.clock.now();
        let gives_up_at = now.plus_seconds(services.policy.webhooks.retry_for_s);
        tx.insert_deliveries(&deliveries, now, gives_up_at).await?;
    }
    let reached = reached.unwrap_or(head).max(start);
    tx.move_webhook_cursor(reached).await?;
    tx.commit().await?;
    Ok(reached < head)
}

/// Whether there is an event for somebody, or so many for nobody that the cursor should move.
async fn is_worth_a_write(tx: &mut dyn ReadTx) -> Result<bool> {
    let head = tx.log_bounds().await?.head;
    let cursor = tx.webhook_cursor().await?;
    if cursor >= head {
        return Ok(false);
    }
    let all = Page { limit: u32::try_from(WEBHOOKS_MAX).unwrap_or(u32::MAX), start: Start::Offset(0) };
    let webhooks = active(tx.list_webhooks(all).await?);
    let Some(start) = start(cursor, &webhooks) else { return Ok(false) };
    let events = tx.events_between(start, head, EVENTS_AT_ONCE).await?;
    let is_for_somebody = |event: &Event| webhooks.iter().any(|webhook| is_for(event, webhook));
    Ok(events.len() >= EVENTS_UNWRITTEN || events.iter().any(is_for_somebody))
}

fn active(webhooks: Vec<Webhook>) -> Vec<Webhook> {
    webhooks.into_iter().filter(|webhook| webhook.status == WebhookStatus::Active).collect()
}

/// After which record to go on: what was before every webhook is nobody's. `None` when there is no webhook.
fn start(cursor: i64, webhooks: &[Webhook]) -> Option<i64> {
    webhooks.iter().map(|webhook| webhook.since).min().map(|first| first.max(cursor))
}

fn is_for(event: &Event, webhook: &Webhook) -> bool {
    event.position > webhook.since && webhook.types.admit(&event.kind)
}

/// The deliveries of these events, and which of them was the last; none when there are no events.
fn deliveries(services: &Services, webhooks: &[Webhook], events: &[Event]) -> (Vec<NewDelivery>, Option<i64>) {
    let mut deliveries = Vec::new();
    let mut subjects = HashSet::new();
    let mut reached = None;
    for event in events {
        for webhook in webhooks.iter().filter(|webhook| is_for(event, webhook)) {
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
        reached = Some(event.position);
        if deliveries.len() >= DELIVERIES_AT_ONCE {
            break;
        }
    }
    (deliveries, reached)
}
