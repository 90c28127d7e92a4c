//! Replacing and patching a webhook.

use axum::Json;
use axum::response::{IntoResponse, Response};
use denizen_domain::Ctx;
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

/// All of a webhook that can be replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"url": "https://crm.example.com/hooks/denizen", "types": []}))]
pub(super) struct ReplaceWebhookBody {
    /// Where requests are sent.
    #[schema(max_length = 2048)]
    url: String,
    /// What it is told of: types of events, or beginnings of them with `*`. Unsaid or empty, everything.
    #[schema(max_items = 64)]
    types: Option<Vec<String>>,
    /// What it is for; unsaid, nothing is told.
    #[schema(max_length = 200)]
    description: Option<String>,
    /// `active` or `disabled`. Unsaid, it stays.
    #[schema(pattern = "^(active|disabled)$")]
    status: Option<String>,
}

/// Replace a webhook.
///
/// Its secret stays. The caller must hold `webhooks:write` and `events:read`, and becomes its `created_by` when they enable
/// it again or change its URL.
#[utoipa::path(
    put, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.replace",
    params(
        ("id" = String, Path, format = Uuid, description = "The webhook's id."),
        ("If-Match" = Option<String>, Header, description = "Refuses the change when it has another version."),
    ),
    request_body = ReplaceWebhookBody,
    responses(
        (status = 200, description = "The webhook as it is now.", body = WebhookBody,
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
    let mut fields = Fields::default();
    let description = Description::parse(body.description.as_deref().unwrap_or_default());
    let change = WebhookChange {
        url: fields.check("url", WebhookUrl::parse(&body.url)),
        types: fields.check("types", EventTypes::parse(&body.types.unwrap_or_default())),
        description: fields.check("description", description),
        status: body.status.and_then(|raw| fields.check("status", read_status(&raw))),
    };
    update(&ctx, id, &headers, fields.finish(Some(change))?).await
}

/// What to change of a webhook: a JSON Merge Patch (RFC 7396).
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"status": "disabled"}))]
pub(super) struct PatchWebhookBody {
    /// Where requests are sent.
    #[schema(nullable = false, max_length = 2048)]
    #[serde(deserialize_with = "said")]
    url: Option<String>,
    /// What it is told of: types of events, or beginnings of them with `*`; empty for everything.
    #[schema(nullable = false, max_items = 64)]
    #[serde(deserialize_with = "said_types")]
    types: Option<Vec<String>>,
    /// What it is for.
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

/// Change a webhook.
///
/// What happened before is told as it was then. What happens while it is disabled it is never told of; what was pending
/// before goes on when it is active again. What is pending for longer than a day (`webhooks.retry_for_s`) is parked,
/// disabled or not, and can be replayed. The caller must hold `webhooks:write` and `events:read`, and becomes its
/// `created_by` when they enable it again or change its URL.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "webhooks.update",
    params(
        ("id" = String, Path, format = Uuid, description = "The webhook's id."),
        ("If-Match" = Option<String>, Header, description = "Refuses the change when it has another version."),
    ),
    request_body(content(
        (PatchWebhookBody = "application/merge-patch+json"),
        (PatchWebhookBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The webhook as it is now.", body = WebhookBody,
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
