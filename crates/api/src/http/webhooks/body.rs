//! Webhooks and deliveries in JSON.

use denizen_domain::error::RuleBroken;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::{Creator, Delivery, DisabledReason, IssuedWebhook, Webhook, WebhookStatus};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

/// A webhook, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "url": "https://crm.example.com/hooks/denizen",
    "description": "", "types": ["user.*"], "status": "active", "disabled_reason": null,
    "created_by": {"type": "user", "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e"}, "failures": 0, "paused_until": null,
    "created_at": "2026-11-22T17:30:18.000001Z", "updated_at": "2026-11-22T17:30:18.000001Z"
}))]
pub(crate) struct WebhookBody {
    /// Unique identifier of the webhook.
    #[schema(format = Uuid)]
    id: String,
    /// The URL that receives the events.
    #[schema(max_length = 2048)]
    url: String,
    /// Description; may be empty.
    #[schema(max_length = 200)]
    description: String,
    /// The event types to deliver; a trailing `*` matches a prefix. Empty for all types.
    types: Vec<String>,
    /// `active` or `disabled`.
    #[schema(pattern = "^(active|disabled)$")]
    status: &'static str,
    /// Why the server disabled the webhook: `gone` (the receiver returned 410), or because the account in `created_by`
    /// was deleted (`creator_deleted`), was disabled (`creator_disabled`) or no longer holds `webhooks:write` and
    /// `events:read` (`creator_not_permitted`). `null` if it is active or was disabled by a request.
    #[schema(required = true, pattern = "^(gone|creator_deleted|creator_disabled|creator_not_permitted)$")]
    disabled_reason: Option<&'static str>,
    /// The account responsible for the webhook: the one that created it, or last re-enabled it or changed its URL.
    /// `null` if it was created by a release that did not record this.
    #[schema(required = true)]
    created_by: Option<WebhookCreatorBody>,
    /// The number of consecutive failures: no response, a 5xx or a 429.
    failures: u32,
    /// Deliveries are paused until this time, after consecutive failures or at the receiver's request.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    paused_until: Option<Timestamp>,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id.to_string(),
            url: webhook.url.as_str().to_owned(),
            description: webhook.description.as_str().to_owned(),
            types: webhook.types.as_slice().to_vec(),
            status: webhook.status.as_str(),
            disabled_reason: webhook.disabled_reason.map(DisabledReason::as_str),
            created_by: webhook.created_by.map(WebhookCreatorBody::from),
            failures: webhook.health.failures,
            paused_until: webhook.health.paused_until,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// The account responsible for a webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookCreatorBody {
    /// `user`, `service_account` or `operator` (the command line).
    #[serde(rename = "type")]
    #[schema(pattern = "^(user|service_account|operator)$")]
    kind: &'static str,
    /// The id of the user or the service account; `null` for the operator.
    #[schema(required = true, value_type = Option<String>, format = Uuid)]
    id: Option<String>,
}

impl From<Creator> for WebhookCreatorBody {
    fn from(creator: Creator) -> Self {
        let id = match creator {
            Creator::Account(subject) => Some(subject.to_string()),
            Creator::Operator => None,
        };
        Self { kind: creator.kind(), id }
    }
}

/// A webhook with its secret, which is returned only once.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedWebhookBody {
    #[serde(flatten)]
    about: WebhookBody,
    /// The secret that signs requests (Standard Webhooks). Store it: it cannot be retrieved again.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=")]
    secret: String,
}

impl IssuedWebhookBody {
    pub(crate) fn of(issued: IssuedWebhook) -> Self {
        Self { about: issued.webhook.into(), secret: issued.secret.expose_secret().to_owned() }
    }
}

/// The delivery of one event to one webhook.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "event_id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "type": "user.created", "subject": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "state": "delivered", "attempts": 1,
    "due_at": null, "created_at": "2026-11-22T17:30:18.000001Z", "last_attempt_at": "2026-11-22T17:30:18.100001Z",
    "last_status": 200, "last_latency_ms": 38, "last_answer": "ok", "last_error": null
}))]
pub(crate) struct DeliveryBody {
    /// Unique identifier of the delivery.
    #[schema(format = Uuid)]
    id: String,
    /// The id of the event; sent as the header `webhook-id` with every attempt.
    #[schema(format = Uuid)]
    event_id: String,
    /// The event type.
    #[serde(rename = "type")]
    kind: String,
    /// The resource that the event is about.
    #[schema(required = true)]
    subject: Option<String>,
    /// `pending`, `delivered` or `parked` (no further attempts until it is retried or replayed).
    #[schema(pattern = "^(pending|delivered|parked)$")]
    state: &'static str,
    /// The number of attempts since the delivery was created or last retried.
    attempts: u32,
    /// Time of the next attempt; `null` while the delivery waits for an earlier one about the same subject.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// Creation time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the last attempt.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last response, if there was one.
    #[schema(required = true)]
    last_status: Option<u16>,
    /// Duration in milliseconds.
    #[schema(required = true)]
    last_latency_ms: Option<u32>,
    /// The beginning of the response body: at most 4 KiB.
    #[schema(required = true)]
    last_answer: Option<String>,
    /// Why the last attempt failed: `http_status`, `timeout`, `unreachable`, `not_allowed` (the host resolves to a
    /// private address), `secret_unreadable` (the master key cannot decrypt the secret) or `event_removed` (the event
    /// is no longer in the log).
    #[schema(required = true)]
    last_error: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        let last = delivery.last;
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event.to_string(),
            kind: delivery.kind,
            subject: Some(delivery.subject).filter(|subject| !subject.is_empty()),
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            due_at: delivery.due_at,
            created_at: delivery.created_at,
            last_attempt_at: last.as_ref().map(|last| last.at),
            last_status: last.as_ref().and_then(|last| last.status),
            last_latency_ms: last.as_ref().map(|last| last.latency_ms),
            last_answer: last.as_ref().filter(|last| last.status.is_some()).map(|last| last.answer.clone()),
            last_error: last.and_then(|last| last.error),
        }
    }
}

/// Reads the status of a webhook.
pub(super) fn read_status(raw: &str) -> Result<WebhookStatus, RuleBroken> {
    let broken = || RuleBroken { code: "invalid_value", message: "must be active or disabled".to_owned() };
    WebhookStatus::parse(raw).ok_or_else(broken)
}

/// Reads a moment.
pub(super) fn moment(raw: &str) -> Result<Timestamp, RuleBroken> {
    let broken = || RuleBroken { code: "invalid_value", message: "must be an RFC 3339 time".to_owned() };
    Timestamp::parse(raw).ok_or_else(broken)
}
