//! A record of the audit view in JSON.

use denizen_domain::events::{Event, EventActor, chain};
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use denizen_domain::value::Object;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::events::body::cursor;

/// An audit record: an event with its actor, origin and hash.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "position": 42, "cursor": "AAAAAAAAACrWxLK4J2BoTv5rEQfnkFLC", "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "type": "session.ended", "subject": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "actor": {
        "type": "user", "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
        "credential": {"type": "session", "id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50"}
    },
    "address": "203.0.113.7", "user_agent": "Mozilla/5.0", "occurred_at": "2026-11-22T17:30:18.000001Z",
    "data": {"session_id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "reason": "signed_out"},
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}))]
pub(crate) struct RecordBody {
    /// Sequence number. The first record has number 1; there are no gaps.
    pub(crate) position: i64,
    /// The cursor of the event. Pass it as `after` to continue after it.
    pub(crate) cursor: String,
    /// Unique identifier of the event.
    #[schema(format = Uuid)]
    pub(crate) id: String,
    /// The event type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The resource that the event is about.
    #[schema(required = true)]
    pub(crate) subject: Option<String>,
    /// The actor.
    pub(crate) actor: RecordActorBody,
    /// The IP address of the client.
    #[schema(required = true)]
    pub(crate) address: Option<String>,
    /// The `User-Agent` of the client.
    #[schema(required = true)]
    pub(crate) user_agent: Option<String>,
    /// The time of the event.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) occurred_at: Timestamp,
    /// What else there is to say, by the type.
    #[schema(value_type = Object)]
    pub(crate) data: Object,
    /// HMAC-SHA-256 of the record and the hash of the previous record, in hexadecimal; plain SHA-256 for records of
    /// early releases.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub(crate) hash: String,
    /// Present and `true` if personal data of a deleted user was erased from the record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub(crate) pseudonymized: bool,
}

/// An actor and the credential that authenticated it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordActorBody {
    /// `anonymous`, `user`, `service_account`, `operator` (the command line) or `system` (the server).
    #[serde(rename = "type")]
    #[schema(pattern = "^(anonymous|user|service_account|operator|system)$")]
    pub(crate) kind: &'static str,
    /// The id of the user or service account.
    #[schema(required = true, format = Uuid)]
    pub(crate) id: Option<String>,
    /// The credential that authenticated the actor.
    #[schema(required = true)]
    pub(crate) credential: Option<CredentialBody>,
}

/// The credential that authenticated an actor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CredentialBody {
    /// `session`, `api_key`, `client_token` (an access token issued for an API key) or `certificate`.
    #[serde(rename = "type")]
    #[schema(pattern = "^(session|api_key|client_token|certificate)$")]
    pub(crate) kind: &'static str,
    /// The id of the session or API key; for a certificate, the id of its service account.
    #[schema(format = Uuid)]
    pub(crate) id: String,
}

impl From<EventActor> for RecordActorBody {
    fn from(actor: EventActor) -> Self {
        let credential = actor.credential.map(|(kind, id)| CredentialBody { kind: kind.as_str(), id: id.to_string() });
        Self { kind: actor.kind.as_str(), id: actor.id.map(|id| id.to_string()), credential }
    }
}

impl RecordBody {
    /// The record as it is told.
    pub(crate) fn new(vault: &dyn Vault, event: Event) -> Self {
        Self {
            position: event.position,
            cursor: cursor(vault, event.position),
            id: event.id.to_string(),
            kind: event.kind,
            subject: event.about.as_str().map(str::to_owned),
            actor: event.actor.into(),
            address: event.address.map(|address| address.to_string()),
            user_agent: event.user_agent,
            occurred_at: event.occurred_at,
            data: event.data,
            hash: chain::hexadecimal(&event.hash),
            pseudonymized: event.erased.is_any(),
        }
    }
}
