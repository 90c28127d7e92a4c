//! Test a webhook.

use super::settle::{attempt, send};
use super::{Attempt, secret};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::id::{EventId, WebhookId};
use crate::ports::WebhookMessage;
use crate::time::Timestamp;

/// What is sent to find out whether it arrives: no event of the log.
#[derive(Debug, Clone, Copy)]
pub struct Ping {
    /// Names it.
    pub id: EventId,
    /// To whom.
    pub webhook: WebhookId,
    /// The time of sending.
    pub sent_at: Timestamp,
}

/// Sends a ping at once, whatever the state of the webhook, and says what came of it. `body` puts it into words.
pub async fn test(ctx: &Ctx, id: WebhookId, body: impl FnOnce(Ping) -> Vec<u8> + Send) -> Result<(Ping, Attempt)> {
    ctx.require(Permission::WebhooksWrite)?;
    let now = ctx.now();
    let mut tx = ctx.store().read().await?;
    let webhook = tx.find_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    let sealed = tx.find_webhook_secrets(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    // Nobody waits for a connection while the other side takes its time.
    drop(tx);
    let secrets = secret::open(ctx.services().vault.as_ref(), id, &sealed, now);
    let ping = Ping { id: EventId::from_uuid(ctx.new_id()), webhook: id, sent_at: now };
    let name = ping.id.to_string();
    let message =
        WebhookMessage { url: webhook.url.as_str(), id: &name, sent_at: now, body: body(ping), secrets: &secrets };
    let answer = send(ctx.services(), message).await;
    Ok((ping, attempt(now, answer)))
}
