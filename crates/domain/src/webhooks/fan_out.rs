//! From the log to deliveries.

use std::collections::HashSet;

use super::{NewDelivery, WEBHOOKS_MAX, Webhook, WebhookStatus};
use crate::ctx::Services;
use crate::error::Result;
use crate::events::Event;
use crate::id::DeliveryId;
use crate::page::{Page, Start};
use crate::store::{ReadTx, WriteTx};

/// How many events are looked at by one transaction, and how many deliveries it adds about: others wait to write.
const EVENTS_AT_ONCE: u32 = 200;
const DELIVERIES_AT_ONCE: usize = 1_000;
/// After so many events that are for nobody the cursor moves nevertheless. For each of them it would cost a write.
const EVENTS_UNWRITTEN: usize = 100;

/// What is left after the deliveries of some events were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// There may be more events.
    More,
    /// No events, or another node adds their deliveries.
    NoEvents,
    /// There is no active webhook, and so nothing to deliver.
    NoWebhooks,
}

/// Adds the deliveries of the next events. If there are none, this is a look at a few rows; if there are no active webhooks, one
/// statement. Of several callers, over all nodes, one works and the others are done at once.
pub async fn fan_out(services: &Services) -> Result<Left> {
    let mut tx = services.store.read().await?;
    let all = Page { limit: u32::try_from(WEBHOOKS_MAX).unwrap_or(u32::MAX), start: Start::Offset(0) };
    let webhooks = active(tx.list_webhooks(all).await?);
    if webhooks.is_empty() {
        return Ok(Left::NoWebhooks);
    }
    if !is_worth_a_write(&mut *tx, &webhooks).await? {
        return Ok(Left::NoEvents);
    }
    drop(tx);
    let mut tx = services.store.write().await?;
    let Some(cursor) = tx.lock_webhook_cursor().await? else { return Ok(Left::NoEvents) };
    let (reached, head) = fan_out_after(services, tx, cursor).await?;
    Ok(if reached < head { Left::More } else { Left::NoEvents })
}

/// Adds the deliveries of everything that happened so far. Whoever fans out meanwhile is waited for.
pub(super) async fn catch_up(services: &Services) -> Result<()> {
    services.store.seal_events().await?;
    // What happens later is not waited for: it need not end.
    let until = services.store.read().await?.log_bounds().await?.head;
    // What is for nobody is passed as well: after the change it may be for somebody.
    loop {
        let mut tx = services.store.write().await?;
        let cursor = tx.wait_for_webhook_cursor().await?;
        if cursor >= until || fan_out_after(services, tx, cursor).await?.0 >= until {
            return Ok(());
        }
    }
}

/// Adds the deliveries of the next events after the cursor, which is held. Says how far it came, and where the log ends.
async fn fan_out_after(services: &Services, mut tx: Box<dyn WriteTx>, cursor: i64) -> Result<(i64, i64)> {
    // They are held until the deliveries are there: whoever settles one meanwhile could not know what follows on it.
    let webhooks = active(tx.lock_webhooks().await?);
    let head = tx.log_bounds().await?.head;
    let Some(start) = start(cursor, &webhooks) else {
        tx.commit().await?;
        return Ok((head, head));
    };
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
    Ok((reached, head))
}

/// Whether there is an event for somebody, or so many for nobody that the cursor should move.
async fn is_worth_a_write(tx: &mut dyn ReadTx, webhooks: &[Webhook]) -> Result<bool> {
    let head = tx.log_bounds().await?.head;
    let cursor = tx.webhook_cursor().await?;
    if cursor >= head {
        return Ok(false);
    }
    let Some(start) = start(cursor, webhooks) else { return Ok(false) };
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
    order_ids(&mut deliveries);
    (deliveries, reached)
}

/// Gives the ids in the order of the log, by which lists are then sorted too: those of one microsecond have none.
fn order_ids(deliveries: &mut [NewDelivery]) {
    let mut ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id).collect();
    ids.sort_unstable();
    for (delivery, id) in deliveries.iter_mut().zip(ids) {
        delivery.id = id;
    }
}

#[cfg(test)]
mod tests {
    use super::{NewDelivery, order_ids};
    use crate::id::{DeliveryId, EventId, WebhookId};
    use uuid::Uuid;

    #[test]
    fn ids_sort_as_the_log_does() {
        let id = |n: u128| DeliveryId::from_uuid(Uuid::from_u128(n));
        let delivery = |position: i64, n: u128| NewDelivery {
            id: id(n),
            webhook: WebhookId::from_uuid(Uuid::nil()),
            event_position: position,
            event: EventId::from_uuid(Uuid::nil()),
            kind: String::new(),
            subject: String::new(),
            is_first: true,
        };
        let mut deliveries = [delivery(1, 3), delivery(2, 1), delivery(3, 2)];
        order_ids(&mut deliveries);
        assert_eq!(
            deliveries.map(|delivery| (delivery.event_position, delivery.id)),
            [(1, id(1)), (2, id(2)), (3, id(3))]
        );
    }
}
