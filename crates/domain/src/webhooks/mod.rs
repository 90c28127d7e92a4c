//! Webhooks: whoever must know what happened is told by a signed request, at least once and in order.
//!
//! Reading order: this file (what a webhook and a delivery are) → [`mod@fan_out`] (from the log to deliveries) → [`mod@take`]
//! (whose turn it is) → [`mod@settle`] (what becomes of one) → [`store`] (how it is kept).
//!
//! Invariants:
//! - An event is fanned out once, however many nodes there are: the cursor moves in the transaction that adds deliveries.
//! - Of the pending deliveries of one webhook about one subject, one at most has a time at which it is due; the others
//!   wait for it. So they are made in the order of the log.
//! - What is being sent belongs to whoever took it, until the time runs out for which they took it.

pub mod create;
mod creator;
pub mod delete;
pub mod fan_out;
pub mod get;
pub mod keep;
pub mod list;
pub mod log;
pub mod replay;
pub mod rotate_secret;
mod secret;
pub mod settle;
pub mod store;
pub mod take;
pub mod test;
mod types;
pub mod update;

pub use create::{IssuedWebhook, NewWebhook, create};
pub(crate) use creator::disable_unauthorized;
pub use creator::{Creator, DisabledReason};
pub use delete::delete;
pub use fan_out::{Left, fan_out};
pub use get::get;
pub use keep::{hasten, park_overdue, purge};
pub use list::list;
pub use log::{get_delivery, list_deliveries};
pub use replay::{Range, replay, retry};
pub use rotate_secret::{OVERLAP_DEFAULT_S, OVERLAP_MAX_S, rotate_secret};
pub use settle::{Settled, settle};
pub use take::{AT_ONCE_EACH, Taken, take};
pub use test::{Ping, test};
pub use types::EventTypes;
pub use update::{WebhookChange, update};

use crate::ctx::Ctx;
use crate::error::{FieldError, Result, RuleBroken};
use crate::id::{DeliveryId, EventId, WebhookId};
use crate::page::Position;
use crate::roles::Description;
use crate::time::Timestamp;

/// How many webhooks there may be. Each has its share of what is sent at once, so that none waits for another.
pub const WEBHOOKS_MAX: u64 = 50;
/// The longest address, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// How much of an answer is kept, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1_024;

/// Somebody who is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Names it for ever.
    pub id: WebhookId,
    /// The URL that receives the events.
    pub url: WebhookUrl,
    /// Description.
    pub description: Description,
    /// What it is told of.
    pub types: EventTypes,
    /// Whether it is told.
    pub status: WebhookStatus,
    /// Why it was disabled, unless by request; nothing while it is active.
    pub disabled_reason: Option<DisabledReason>,
    /// Who answers for it; unknown of those that an older release made.
    pub created_by: Option<Creator>,
    /// The last record of the log that it is not told of: what happened before it was made, or while it was disabled.
    pub since: i64,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Counts the changes; what `If-Match` compares.
    pub version: i64,
    /// How it fares.
    pub health: Health,
}

impl Webhook {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }
}

/// How the other side fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The number of consecutive failures: no response, a 5xx or a 429.
    pub failures: u32,
    /// Until when it is left alone.
    pub paused_until: Option<Timestamp>,
}

/// Whether a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookStatus {
    /// It is.
    Active,
    /// It is not.
    Disabled,
}

impl WebhookStatus {
    /// Reads a name.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|status| status.as_str() == raw)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// Where requests are sent. What follows on the host may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// Reads an address. Whether requests may go there, [`crate::ports::WebhookSender`] knows.
    ///
    /// # Errors
    /// `required`, `too_long` or `invalid_url`.
    pub fn parse(raw: &str) -> Result<Self, RuleBroken> {
        if raw.is_empty() {
            return Err(RuleBroken::new("required", "is required"));
        }
        if raw.len() > URL_BYTES_MAX {
            return Err(RuleBroken::new("too_long", format!("must be at most {URL_BYTES_MAX} bytes")));
        }
        if !raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RuleBroken::new("invalid_url", "must be an https URL in printable ASCII"));
        }
        Ok(Self(raw.to_owned()))
    }

    /// Takes over an address that a store kept.
    #[must_use]
    pub fn from_stored(url: String) -> Self {
        Self(url)
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookUrl([redacted])")
    }
}

/// The host of an address to which requests may go.
///
/// # Errors
/// The field `url`.
pub fn host_of(ctx: &Ctx, url: &WebhookUrl) -> Result<String, FieldError> {
    ctx.services().webhook_sender.host_of(url.as_str()).map_err(|broken| broken.at("url"))
}

/// What there is to tell of an event, to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names it for ever.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// The place of the event in the log.
    pub event_position: i64,
    /// The event.
    pub event: EventId,
    /// Its type.
    pub kind: String,
    /// Whom or what it concerns; empty when nothing is said.
    pub subject: String,
    /// What has become of it.
    pub state: DeliveryState,
    /// How often it was tried since it was made, or put back by somebody.
    pub attempts: u32,
    /// When it is tried next. Nothing while an earlier one about the same subject is pending, and when it is not.
    pub due_at: Option<Timestamp>,
    /// Creation time.
    pub created_at: Timestamp,
    /// The last attempt.
    pub last: Option<Attempt>,
}

impl Delivery {
    /// Its place in a list.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { created_at: self.created_at, id: self.id.as_uuid() }
    }
}

/// What has become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be made.
    Pending,
    /// The other side has it.
    Delivered,
    /// It was given up, until somebody puts it back.
    Parked,
}

impl DeliveryState {
    /// Reads a name.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Parked].into_iter().find(|state| state.as_str() == raw)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
        }
    }
}

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The time of the attempt.
    pub at: Timestamp,
    /// The status of the answer, when there was one.
    pub status: Option<u16>,
    /// How long the status took, in milliseconds.
    pub latency_ms: u32,
    /// The beginning of the answer: at most [`ANSWER_BYTES_MAX`] bytes.
    pub answer: String,
    /// Why it is no success: `http_status`, `timeout`, `unreachable`, `not_allowed`, `secret_unreadable`,
    /// `event_removed`.
    pub error: Option<String>,
}

impl Attempt {
    /// Whether the other side has it.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.error.is_none()
    }
}

/// A delivery that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Names it for ever.
    pub id: DeliveryId,
    /// To whom.
    pub webhook: WebhookId,
    /// The place of the event in the log.
    pub event_position: i64,
    /// The event.
    pub event: EventId,
    /// Its type.
    pub kind: String,
    /// Whom or what it concerns; empty when nothing is said.
    pub subject: String,
    /// Whether it is the first of those that are stored together, of its webhook and about its subject.
    pub is_first: bool,
}

/// A delivery that was taken to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// Which one.
    pub id: DeliveryId,
    /// The place of the event in the log.
    pub event_position: i64,
    /// The event.
    pub event: EventId,
    /// The resource that the event is about.
    pub subject: String,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// Until when it is nobody else's. Tells whoever took it from who took it before.
    pub leased_until: Timestamp,
}

/// How long to go on, and how fast: what configuration sets.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the second attempt waits at most, in milliseconds; each further one twice as long, up to an hour.
    pub retry_first_ms: u32,
    /// How long a delivery is tried, in seconds.
    pub retry_for_s: u32,
    /// How long one request may take, in seconds.
    pub timeout_s: u32,
}

#[cfg(test)]
mod tests {
    use super::{DeliveryState, WebhookStatus, WebhookUrl};

    #[test]
    fn an_address_is_short_and_plain() {
        assert!(WebhookUrl::parse("https://example.com/hook?token=1").is_ok());
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        for (raw, code) in [
            ("", "required"),
            (long.as_str(), "too_long"),
            ("https://example.com/ ", "invalid_url"),
            ("https://exämple.com/", "invalid_url"),
            ("https://example.com/\n", "invalid_url"),
        ] {
            assert_eq!(WebhookUrl::parse(raw).unwrap_err().code, code, "{raw}");
        }
        assert!(!format!("{:?}", WebhookUrl::parse("https://example.com/secret").unwrap()).contains("secret"));
    }

    #[test]
    fn names_come_back() {
        for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Parked] {
            assert_eq!(DeliveryState::parse(state.as_str()), Some(state));
        }
        assert_eq!(WebhookStatus::parse("disabled"), Some(WebhookStatus::Disabled));
        assert_eq!(WebhookStatus::parse("gone"), None);
    }
}
