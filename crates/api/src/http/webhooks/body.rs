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
    /// Names the webhook for ever.
    #[schema(format = Uuid)]
    id: String,
    /// Where requests are sent.
    #[schema(max_length = 2048)]
    url: String,
    /// What it is for; may be empty.
    #[schema(max_length = 200)]
    description: String,
    /// What it is told of: types of events, or beginnings of them with `*`; empty for everything.
    types: Vec<String>,
    /// `active` or `disabled`.
    #[schema(pattern = "^(active|disabled)$")]
    status: &'static str,
    /// Why the server disabled it: `gone` (the receiver answered 410), or because the account in `created_by` was deleted
    /// (`creator_deleted`), disabled (`creator_disabled`), or no longer holds `webhooks:write` and `events:read`
    /// (`creator_not_permitted`). `null` while it is active, and when it was disabled by request.
    #[schema(required = true, pattern = "^(gone|creator_deleted|creator_disabled|creator_not_permitted)$")]
    disabled_reason: Option<&'static str>,
    /// Who answers for the webhook: who created it, or last enabled it again or changed its URL. `null` when it was
    /// created by a release that did not record this.
    #[schema(required = true)]
    created_by: Option<WebhookCreatorBody>,
    /// How many requests had no answer, a 5xx or a 429 since the last one that succeeded.
    failures: u32,
    /// Until when it is left alone, because it failed several times in a row or asked for it.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    paused_until: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
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

/// Who answers for a webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookCreatorBody {
    /// `user`, `service_account`, or `operator`: the command line.
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

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedWebhookBody {
    #[serde(flatten)]
    about: WebhookBody,
    /// What requests are signed with (Standard Webhooks). Keep it: it is not shown again.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=")]
    secret: String,
}

impl IssuedWebhookBody {
    pub(crate) fn of(issued: IssuedWebhook) -> Self {
        Self { about: issued.webhook.into(), secret: issued.secret.expose_secret().to_owned() }
    }
}

/// What there was, or is, to tell a webhook of one event.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "event_id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "type": "user.created", "subject": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e", "state": "delivered", "attempts": 1,
    "due_at": null, "created_at": "2026-11-22T17:30:18.000001Z", "last_attempt_at": "2026-11-22T17:30:18.100001Z",
    "last_status": 200, "last_latency_ms": 38, "last_answer": "ok", "last_error": null
}))]
pub(crate) struct DeliveryBody {
    /// Names the delivery for ever.
    #[schema(format = Uuid)]
    id: String,
    /// The event, and the header `webhook-id` of every attempt.
    #[schema(format = Uuid)]
    event_id: String,
    /// What happened.
    #[serde(rename = "type")]
    kind: String,
    /// Whom or what it concerns.
    #[schema(required = true)]
    subject: Option<String>,
    /// `pending`, `delivered`, or `parked`: given up until somebody puts it back.
    #[schema(pattern = "^(pending|delivered|parked)$")]
    state: &'static str,
    /// How often it was tried, since it was made or put back.
    attempts: u32,
    /// When it is tried next; nothing while it waits for an earlier one about the same subject.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last tried.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// The status of the last answer, when there was one.
    #[schema(required = true)]
    last_status: Option<u16>,
    /// How long it took, in milliseconds.
    #[schema(required = true)]
    last_latency_ms: Option<u32>,
    /// How it began: at most 4 KiB.
    #[schema(required = true)]
    last_answer: Option<String>,
    /// Why it was no success: `http_status`, `timeout`, `unreachable`, `not_allowed` (the host leads into a private
    /// network), `secret_unreadable` (its secret cannot be opened by the master key) or `event_removed` (the log no longer has
    /// it).
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
    let broken = || RuleBroken { code: "invalid_value", message: "must be an RFC 3339 moment".to_owned() };
    Timestamp::parse(raw).ok_or_else(broken)
}
