//! Update a webhook.

use super::fan_out::catch_up;
use super::{Creator, EventTypes, Health, Webhook, WebhookStatus, WebhookUrl, host_of};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::events::{Happened, record};
use crate::id::WebhookId;
use crate::roles::Description;

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// Another address.
    pub url: Option<WebhookUrl>,
    /// Another description.
    pub description: Option<Description>,
    /// Other types.
    pub types: Option<EventTypes>,
    /// Active or disabled.
    pub status: Option<WebhookStatus>,
}

impl WebhookChange {
    /// The webhook with this change of its settings. Who answers for it, its health and its version stay.
    #[must_use]
    pub fn applied_to(self, before: &Webhook) -> Webhook {
        let before = before.clone();
        Webhook {
            url: self.url.unwrap_or(before.url),
            description: self.description.unwrap_or(before.description),
            types: self.types.unwrap_or(before.types),
            status: self.status.unwrap_or(before.status),
            ..before
        }
    }
}

/// Changes a webhook. It is told of what happened before by what it was before. What happens while it is disabled it is
/// never told of; what was pending before goes on when it is active again, or is parked when its day is over.
///
/// A caller who enables it again or changes its URL takes it over: it works from then on while they may have it.
///
/// `expected` lists the versions that the caller accepts to change (`If-Match`); `None` accepts any.
pub async fn update(ctx: &Ctx, id: WebhookId, change: WebhookChange, expected: Option<&[i64]>) -> Result<Webhook> {
    ctx.require(Permission::WebhooksWrite)?;
    ctx.require(Permission::EventsRead)?;
    if let Some(url) = &change.url {
        host_of(ctx, url)?;
    }
    if change.status.is_some() || change.types.is_some() {
        // What happened before is told as it was then, and what happened while it was disabled has its place in the log.
        catch_up(ctx.services()).await?;
    }
    let mut tx = ctx.write().await?;
    if change.status == Some(WebhookStatus::Active) {
        // A fan-out under way does not know that it is active, and must end before the log is looked at.
        tx.wait_for_webhook_cursor().await?;
    }
    let before = tx.lock_webhook(id).await?.ok_or(Error::NotFound(Resource::Webhook))?;
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    let mut webhook = change.applied_to(&before);
    let is_enabled = webhook.status == WebhookStatus::Active && before.status == WebhookStatus::Disabled;
    // The caller who decides that events go there, or where they go, answers for it from now on.
    if is_enabled || webhook.url != before.url {
        webhook.created_by = Creator::of(ctx.actor());
        webhook.disabled_reason = webhook.disabled_reason.filter(|_| !is_enabled);
    }
    if webhook == before {
        // What was read may come from a write that shares this transaction.
        ctx.commit(tx).await?;
        return Ok(before);
    }
    if is_enabled {
        webhook.since = tx.log_bounds().await?.head;
    }
    // It may be mended by that: it is tried at once.
    if is_enabled || webhook.url != before.url {
        webhook.health = Health::default();
    }
    webhook.version += 1;
    webhook.updated_at = ctx.now();
    tx.update_webhook(&webhook).await?;
    // The address of before may be one that is no longer allowed: then there is no host to tell.
    let host = host_of(ctx, &webhook.url).unwrap_or_default();
    let happened = Happened::WebhookUpdated { webhook_id: id, host, changed: changed(&before, &webhook) };
    record(ctx, &mut *tx, id, happened);
    ctx.commit(tx).await?;
    Ok(webhook)
}

/// The fields that differ.
pub(super) fn changed(before: &Webhook, now: &Webhook) -> Vec<&'static str> {
    let is_changed = [
        ("url", now.url != before.url),
        ("description", now.description != before.description),
        ("types", now.types != before.types),
        ("status", now.status != before.status),
        ("created_by", now.created_by != before.created_by),
    ];
    is_changed.into_iter().filter_map(|(name, is_changed)| is_changed.then_some(name)).collect()
}
