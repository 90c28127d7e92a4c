//! Create a webhook.

use secrecy::SecretString;

use super::store::SealedSecrets;
use super::{Creator, EventTypes, Health, WEBHOOKS_MAX, Webhook, WebhookStatus, WebhookUrl, host_of, secret};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::{Happened, record};
use crate::id::WebhookId;
use crate::roles::Description;

/// What a new webhook is made of.
#[derive(Debug)]
pub struct NewWebhook {
    /// The URL that receives the events.
    pub url: WebhookUrl,
    /// Description.
    pub description: Description,
    /// What it is told of.
    pub types: EventTypes,
    /// Active or disabled.
    pub status: WebhookStatus,
}

/// A webhook with its secret, which is returned only once.
#[derive(Debug)]
pub struct IssuedWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// What requests are signed with: `whsec_…`.
    pub secret: SecretString,
}

/// Creates a webhook. It is told of what happens from now on.
///
/// Whoever chooses where events go could as well read them, and must be allowed to.
pub async fn create(ctx: &Ctx, new: NewWebhook) -> Result<IssuedWebhook> {
    ctx.require(Permission::WebhooksWrite)?;
    ctx.require(Permission::EventsRead)?;
    let host = host_of(ctx, &new.url)?;
    let now = ctx.now();
    let id = WebhookId::from_uuid(ctx.new_id());
    let secret = secret::generate(ctx.services().random.as_ref());
    let current = secret::seal(ctx.services().vault.as_ref(), id, &secret);
    // What happened before has its place in the log then, and is not told.
    ctx.store().seal_events().await?;
    let mut tx = ctx.write().await?;
    // A fan-out under way does not know this webhook, and must end before the log is looked at.
    tx.wait_for_webhook_cursor().await?;
    // Of two who make the last one, one waits here.
    tx.lock_webhooks().await?;
    if tx.count_webhooks().await? >= WEBHOOKS_MAX {
        return Err(Error::Conflict(Conflict::TooManyWebhooks));
    }
    let webhook = Webhook {
        id,
        url: new.url,
        description: new.description,
        types: new.types,
        status: new.status,
        disabled_reason: None,
        created_by: Creator::of(ctx.actor()),
        since: tx.log_bounds().await?.head,
        created_at: now,
        updated_at: now,
        version: 1,
        health: Health::default(),
    };
    tx.insert_webhook(&webhook, &SealedSecrets { current, previous: None }).await?;
    record(ctx, &mut *tx, id, Happened::WebhookCreated { webhook_id: id, host });
    ctx.commit(tx).await?;
    Ok(IssuedWebhook { webhook, secret })
}
