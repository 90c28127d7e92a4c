//! Whose turn it is.

use std::collections::HashMap;

use secrecy::SecretString;

use super::creator::still_authorized;
use super::settle::{OPEN_AFTER, disable};
use super::{DueDelivery, WebhookStatus, WebhookUrl, secret};
use crate::ctx::Services;
use crate::error::Result;
use crate::events::Event;
use crate::id::{EventId, WebhookId};
use crate::store::WriteTx;
use crate::time::Timestamp;

/// How many requests to one webhook are in flight at once, on each node. Those of the others do not count: who hangs
/// holds up nobody else.
pub const AT_ONCE_EACH: u32 = 4;
/// How much longer than a request may take a delivery is nobody else's, in seconds: what became of it has to be written.
pub(super) const LEASE_SLACK_S: u32 = 15;

/// A delivery with what is needed to make it.
#[derive(Debug)]
pub struct Taken {
    /// To whom.
    pub webhook: WebhookId,
    /// The delivery.
    pub due: DueDelivery,
    /// Whether it is to find out if the other side answers again.
    pub is_probe: bool,
    /// Where to.
    pub url: WebhookUrl,
    /// What to sign with, the newest first; empty when it cannot be read.
    pub secrets: Vec<SecretString>,
    /// What to tell; `None` when the log no longer has it.
    pub event: Option<Event>,
}

/// Takes what is due. `in_flight` says how many requests to a webhook are under way already. When nothing is due, this is
/// one look at an index.
pub async fn take(services: &Services, in_flight: impl Fn(WebhookId) -> u32 + Send + Sync) -> Result<Vec<Taken>> {
    let now = services.clock.now();
    let due = services.store.read().await?.due_webhooks(now).await?;
    let free = |id| AT_ONCE_EACH.saturating_sub(in_flight(id));
    let due: Vec<WebhookId> = due.into_iter().filter(|&id| free(id) > 0).collect();
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = services.store.write().await?;
    let mut taken = Vec::new();
    for id in due {
        take_of(services, &mut *tx, id, free(id), now, &mut taken).await?;
    }
    tx.commit().await?;
    let mut positions: Vec<i64> = taken.iter().map(|one| one.due.event_position).collect();
    positions.sort_unstable();
    positions.dedup();
    let events = services.store.read().await?.events_at(&positions).await?;
    let events: HashMap<EventId, Event> = events.into_iter().map(|event| (event.id, event)).collect();
    for one in &mut taken {
        one.event = events.get(&one.due.event).cloned();
    }
    Ok(taken)
}

async fn take_of(
    services: &Services,
    tx: &mut dyn WriteTx,
    id: WebhookId,
    free: u32,
    now: Timestamp,
    taken: &mut Vec<Taken>,
) -> Result<()> {
    let leased_until = now.plus_seconds(services.policy.webhooks.timeout_s + LEASE_SLACK_S);
    let Some(webhook) = tx.find_webhook(id).await? else { return Ok(()) };
    // It was active when it was listed, outside this transaction.
    if webhook.status != WebhookStatus::Active {
        return Ok(());
    }
    if let Err(reason) = still_authorized(tx, &webhook).await? {
        if let Some(webhook) = tx.lock_webhook(id).await? {
            disable(services, tx, webhook, reason, now).await?;
        }
        return Ok(());
    }
    let is_probe = webhook.health.failures >= OPEN_AFTER;
    // Of all nodes one finds out whether it answers again, by one request.
    if is_probe && !tx.claim_probe(id, now, leased_until).await? {
        return Ok(());
    }
    let due = tx.take_due_deliveries(id, now, leased_until, if is_probe { 1 } else { free }).await?;
    if due.is_empty() {
        if is_probe {
            // There was nothing to find out with: the next one to be due does it.
            tx.set_webhook_health(id, webhook.health).await?;
        }
        return Ok(());
    }
    let Some(sealed) = tx.find_webhook_secrets(id).await? else { return Ok(()) };
    let secrets = secret::open(services.vault.as_ref(), id, &sealed, now);
    taken.extend(due.into_iter().map(|due| Taken {
        webhook: id,
        due,
        is_probe,
        url: webhook.url.clone(),
        secrets: secrets.clone(),
        event: None,
    }));
    Ok(())
}
