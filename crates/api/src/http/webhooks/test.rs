//! Trying a webhook.

use axum::Json;
use denizen_domain::Ctx;
use denizen_domain::events::EventActor;
use denizen_domain::id::WebhookId;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::{self, Attempt, Ping};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::answers::{Always, BadInput, Permitted, SignedIn, WebhookExists};
use crate::http::events::body::ActorBody;
use crate::http::extract::{Caller, IdPath};
use crate::http::problem::Problem;

/// What is sent to try a webhook: like an event, but none of the log, so that it has no cursor.
#[derive(Serialize)]
struct PingBody {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: String,
    actor: ActorBody,
    occurred_at: Timestamp,
    data: PingData,
}

#[derive(Serialize)]
struct PingData {
    webhook_id: String,
}

/// The ping in words.
pub(crate) fn ping_body(ctx: &Ctx, ping: Ping) -> Vec<u8> {
    let body = PingBody {
        id: ping.id.to_string(),
        kind: "webhook.test",
        subject: ping.webhook.to_string(),
        actor: EventActor::from(ctx.actor()).into(),
        occurred_at: ping.sent_at,
        data: PingData { webhook_id: ping.webhook.to_string() },
    };
    serde_json::to_vec(&body).expect("a ping is JSON")
}

/// The result of a test request.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "event_id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "delivered": true, "status": 200, "latency_ms": 38,
    "answer": "ok", "error": null
}))]
pub(crate) struct TestedBody {
    /// The header `webhook-id` of the request.
    #[schema(format = Uuid)]
    event_id: String,
    /// Whether the response status was 2xx.
    delivered: bool,
    /// The HTTP status, if there was a response.
    #[schema(required = true)]
    status: Option<u16>,
    /// Duration in milliseconds.
    latency_ms: u32,
    /// The beginning of the response body: at most 4 KiB.
    answer: String,
    /// Why the request failed: `http_status`, `timeout`, `unreachable`, `not_allowed` or `secret_unreadable`.
    #[schema(required = true)]
    error: Option<String>,
}

impl TestedBody {
    pub(crate) fn of(ping: Ping, attempt: Attempt) -> Self {
        Self {
            event_id: ping.id.to_string(),
            delivered: attempt.is_success(),
            status: attempt.status,
            latency_ms: attempt.latency_ms,
            answer: attempt.answer,
            error: attempt.error,
        }
    }
}

/// Test a webhook.
///
/// Sends a signed request of the type `webhook.test` immediately, even if the webhook is disabled, and returns the
/// result. It is not retried and not listed among the deliveries.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "webhooks.test",
    params(("id" = String, Path, format = Uuid, description = "The id of the webhook.")),
    responses(
        (status = 200, description = "The result.", body = TestedBody),
        BadInput, SignedIn, Permitted, WebhookExists, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn test(Caller(ctx): Caller, IdPath(id): IdPath<WebhookId>) -> Result<Json<TestedBody>, Problem> {
    let (ping, attempt) = webhooks::test(&ctx, id, |ping| ping_body(&ctx, ping)).await?;
    Ok(Json(TestedBody::of(ping, attempt)))
}
