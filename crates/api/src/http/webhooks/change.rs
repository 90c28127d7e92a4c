//! Replacing and patching a webhook.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::id::WebhookId;
use denizen_domain::roles::Description;
use denizen_domain::webhooks::{self, EventTypes, WebhookChange, WebhookUrl};
use http::HeaderMap;
use http::header::ETAG;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::body::{WebhookBody, read_status};
use crate::http::answers::{Always, BadBody, Fresh, Permitted, SignedIn, WebhookExists};
use crate::http::etag;
use crate::http::extract::{Caller, Fields, IdPath, JsonBody};
use crate::http::problem::Problem;
use crate::http::users::said;

/// A full replacement of a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://crm.example.com/hooks/denizen", "types": []}))]
pub(crate) struct ReplaceWebhookBody {
    /// The URL that receives the events.
    #[schema(max_length = 2048)]
    url: String,
    /// The event types to deliver; a trailing `*` matches a prefix. If omitted or empty, all types.
    #[schema(max_items = 64)]
    types: Option<Vec<String>>,
    /// Description. If omitted, empty.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// `active` or `disabled`. Unchanged if omitted.
    #[schema(pattern = "^(active|disabled)$")]
    status: Option<String>,
}

impl ReplaceWebhookBody {
    /// The change; every field at fault is reported.
    pub(crate) fn into_change(self) -> Result<WebhookChange, Vec<FieldError>> {
        let mut fields = Fields::default();
        let description = Description::parse(self.description.as_deref().unwrap_or_default());
        let change = WebhookChange {
            url: fields.check("url", WebhookUrl::parse(&self.url)),
            types: fields.check("types", EventTypes::parse(&self.types.unwrap_or_default())),
            description: fields.check("description", description),
            status: self.status.and_then(|raw| fields.check("status", read_status(&raw))),
        };
        fields.finish(Some(change))
    }
}

/// Replace a webhook.
///
/// Does not change the secret. The caller must hold `webhooks:write` and `events:read`, and becomes `created_by` when
/// re-enabling the webhook or changing its URL.
#[utoipa::path(
    put, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.replace",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
    ),
    request_body = ReplaceWebhookBody,
    responses(
        (status = 200, description = "The updated webhook.", body = WebhookBody,
            headers(("ETag" = String, description = "The version of the webhook."))),
        BadBody, SignedIn, Permitted, WebhookExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn replace(
    Caller(ctx): Caller,
    IdPath(id): IdPath<WebhookId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ReplaceWebhookBody>,
) -> Result<Response, Problem> {
    update(&ctx, id, &headers, body.into_change()?).await
}

/// An update of a webhook, as a JSON Merge Patch (RFC 7396).
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"status": "disabled"}))]
pub(super) struct PatchWebhookBody {
    /// The URL that receives the events.
    #[schema(nullable = false, max_length = 2048)]
    #[serde(deserialize_with = "said")]
    url: Option<String>,
    /// The event types to deliver; a trailing `*` matches a prefix. Empty for all types.
    #[schema(nullable = false, max_items = 64)]
    #[serde(deserialize_with = "said_types")]
    types: Option<Vec<String>>,
    /// Description.
    #[schema(nullable = false, max_length = 200)]
    #[serde(deserialize_with = "said")]
    description: Option<String>,
    /// `active` or `disabled`.
    #[serde(deserialize_with = "said")]
    #[schema(nullable = false, pattern = "^(active|disabled)$")]
    status: Option<String>,
}

/// Types that are said: `null` is none.
fn said_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

/// Update a webhook.
///
/// Earlier events are delivered according to the previous settings. Events that occur while the webhook is disabled are
/// not delivered later; deliveries that were already pending continue when it is active again. Deliveries that are
/// pending for more than a day (`webhooks.retry_for_s`) become `parked`, even while it is disabled, and can be
/// replayed. The caller must hold `webhooks:write` and `events:read`, and becomes `created_by` when re-enabling the
/// webhook or changing its URL.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.update",
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the webhook."),
        ("If-Match" = Option<String>, Header, description = "Fails with 412 unless the resource has this version."),
    ),
    request_body(content(
        (PatchWebhookBody = "application/merge-patch+json"),
        (PatchWebhookBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The updated webhook.", body = WebhookBody,
            headers(("ETag" = String, description = "The version of the webhook."))),
        BadBody, SignedIn, Permitted, WebhookExists, Fresh, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn patch(
    Caller(ctx): Caller,
    IdPath(id): IdPath<WebhookId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PatchWebhookBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let change = WebhookChange {
        url: body.url.and_then(|raw| fields.check("url", WebhookUrl::parse(&raw))),
        types: body.types.and_then(|raw| fields.check("types", EventTypes::parse(&raw))),
        description: body.description.and_then(|raw| fields.check("description", Description::parse(&raw))),
        status: body.status.and_then(|raw| fields.check("status", read_status(&raw))),
    };
    update(&ctx, id, &headers, fields.finish(Some(change))?).await
}

async fn update(ctx: &Ctx, id: WebhookId, headers: &HeaderMap, change: WebhookChange) -> Result<Response, Problem> {
    let expected = etag::if_match(headers)?;
    let webhook = webhooks::update(ctx, id, change, expected.as_deref()).await?;
    Ok(([(ETAG, etag::of_version(webhook.version))], Json(WebhookBody::from(webhook))).into_response())
}
