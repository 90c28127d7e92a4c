//! Webhooks.

use denizen_domain::Ctx;
use denizen_domain::error::{FieldError, Result};
use denizen_domain::page::Total;
use denizen_domain::webhooks::{
    self, NewWebhook, WEBHOOKS_MAX, Webhook, WebhookChange, WebhookStatus, WebhookUrl, host_of,
};
use serde_json::{Map, Value, json};

use super::all;
use crate::declarative::kind::{Identity, Info, Issued, Kind, Secrets, typed};
use crate::declarative::plan::Planned;
use crate::declarative::schema::ItemSchema;
use crate::http::webhooks::{ReplaceWebhookBody, WebhookBody};

pub(crate) struct Webhooks;

impl Kind for Webhooks {
    type Resource = Webhook;
    type Change = WebhookChange;

    const INFO: Info = Info {
        section: "webhooks",
        argument: "webhooks",
        singular: "webhook",
        key: "url",
        has_id: true,
        max: Some(WEBHOOKS_MAX),
    };

    fn schema() -> ItemSchema {
        let id = json!({
            "description": "The id, if several webhooks have the same URL, or to change the URL.",
            "type": "string", "format": "uuid",
        });
        ItemSchema::of::<ReplaceWebhookBody>().with("id", id)
    }

    async fn list(ctx: &Ctx) -> Result<Vec<Webhook>> {
        all(|page| webhooks::list(ctx, page, Total::Skip)).await
    }

    fn identity(webhook: &Webhook) -> Identity {
        Identity { id: Some(webhook.id.to_string()), key: webhook.url.as_str().to_owned() }
    }

    fn body(webhook: &Webhook) -> Value {
        json!(WebhookBody::from(webhook.clone()))
    }

    fn read(fields: Map<String, Value>, _: Option<&Webhook>, _: Secrets) -> Result<WebhookChange, Vec<FieldError>> {
        typed::<ReplaceWebhookBody>(fields)?.into_change()
    }

    fn after(change: &WebhookChange, before: &Webhook) -> Webhook {
        change.clone().applied_to(before)
    }

    fn check(ctx: &Ctx, change: &WebhookChange, _: Option<&Webhook>, _: &Planned) -> Vec<FieldError> {
        change.url.as_ref().and_then(|url| host_of(ctx, url).err()).into_iter().collect()
    }

    fn public_key(ctx: &Ctx, key: &str) -> String {
        WebhookUrl::parse(key).ok().and_then(|url| host_of(ctx, &url).ok()).unwrap_or_default()
    }

    async fn create(ctx: &Ctx, change: WebhookChange) -> Result<Option<Issued>> {
        let WebhookChange { url, description, types, status } = change;
        let new = NewWebhook {
            url: url.ok_or_else(|| FieldError::new("url", "required", "is required"))?,
            description: description.unwrap_or_default(),
            types: types.unwrap_or_default(),
            status: status.unwrap_or(WebhookStatus::Active),
        };
        let issued = webhooks::create(ctx, new).await?;
        Ok(Some(Issued { id: issued.webhook.id.to_string(), secret: issued.secret }))
    }

    async fn update(ctx: &Ctx, before: &Webhook, change: WebhookChange) -> Result<()> {
        webhooks::update(ctx, before.id, change, Some(&[before.version])).await.map(drop)
    }

    async fn delete(ctx: &Ctx, before: &Webhook) -> Result<()> {
        webhooks::delete(ctx, before.id, Some(&[before.version])).await
    }
}
