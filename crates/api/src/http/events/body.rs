//! An event in JSON, the same on every way: pages, SSE, WebSocket and webhooks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::error::FieldError;
use denizen_domain::events::{Event, EventActor};
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use denizen_domain::value::Object;
use serde::Serialize;
use utoipa::ToSchema;

const POSITION_BYTES: usize = 8;
const CODE_BYTES: usize = 16;
const PURPOSE: &str = "cursor of events";

/// The opaque form of a place in the log, good for as long as what follows on it is kept.
pub(crate) fn cursor(vault: &dyn Vault, position: i64) -> String {
    let position = position.to_be_bytes();
    let mut bytes = [0; POSITION_BYTES + CODE_BYTES];
    bytes[..POSITION_BYTES].copy_from_slice(&position);
    bytes[POSITION_BYTES..].copy_from_slice(&vault.mac(PURPOSE, &position)[..CODE_BYTES]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor stands for.
///
/// # Errors
/// The named field, when it was not made here.
pub(crate) fn position(vault: &dyn Vault, field: &str, cursor: &str) -> Result<i64, FieldError> {
    let open = || {
        // The length first: a decoder should not be fed what cannot be a cursor.
        if cursor.len() != (POSITION_BYTES + CODE_BYTES) / 3 * 4 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (position, code) = bytes.split_first_chunk::<POSITION_BYTES>()?;
        let expected = vault.mac(PURPOSE, position);
        aws_lc_rs::constant_time::verify_slices_are_equal(code, &expected[..CODE_BYTES]).ok()?;
        Some(i64::from_be_bytes(*position))
    };
    open().ok_or_else(|| FieldError::new(field, "invalid_cursor", "must be an event cursor"))
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "cursor": "AAAAAAAAAAfWxLK4J2BoTv5rEQfnkFLC", "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "type": "session.ended", "subject": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e",
    "actor": {"type": "user", "id": "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e"},
    "occurred_at": "2026-11-22T17:30:18.000001Z",
    "data": {"session_id": "019365a8-7b1f-7c3e-8d0c-0a1c2d3e4f50", "reason": "signed_out"}
}))]
pub(crate) struct EventBody {
    /// Where to go on after it: opaque, and good for as long as what follows is kept.
    pub(crate) cursor: String,
    /// Names the event for ever: a repetition has the same.
    #[schema(format = Uuid)]
    pub(crate) id: String,
    /// The event type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Whom or what it concerns: the id of a user, a service account, a role or a signing key, by the type. What happens
    /// to a session, a factor or an API key concerns its owner.
    #[schema(required = true)]
    pub(crate) subject: Option<String>,
    /// The actor.
    pub(crate) actor: ActorBody,
    /// The time of the event.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) occurred_at: Timestamp,
    /// What else there is to say, by the type.
    #[schema(value_type = Object)]
    pub(crate) data: Object,
}

/// The actor of an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActorBody {
    /// `anonymous`, `user`, `service_account`, `operator` (the command line) or `system` (the server).
    #[serde(rename = "type")]
    #[schema(pattern = "^(anonymous|user|service_account|operator|system)$")]
    kind: &'static str,
    /// The id of the user or service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    id: Option<String>,
}

impl std::fmt::Display for ActorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind)?;
        self.id.as_ref().map_or(Ok(()), |id| write!(f, " {id}"))
    }
}

impl From<EventActor> for ActorBody {
    fn from(actor: EventActor) -> Self {
        Self { kind: actor.kind.as_str(), id: actor.id.map(|id| id.to_string()) }
    }
}

impl EventBody {
    /// The event as it is told.
    pub(crate) fn new(vault: &dyn Vault, event: Event) -> Self {
        Self {
            cursor: cursor(vault, event.position),
            id: event.id.to_string(),
            kind: event.kind,
            subject: event.about.as_str().map(str::to_owned),
            actor: event.actor.into(),
            occurred_at: event.occurred_at,
            data: event.data,
        }
    }
}
