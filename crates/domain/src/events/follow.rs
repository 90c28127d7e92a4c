//! Who may follow what.

use uuid::Uuid;

use super::{Event, EventFilter, EventType, Happened};
use crate::access::{Credential, Permission, Principal, Subject};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::users::Status;
use crate::value::Value;

/// Refuses whoever can follow nothing at all: neither everything, nor what concerns themselves.
pub fn require_following(ctx: &Ctx) -> Result<()> {
    if ctx.holds(Permission::EventsRead) { Ok(()) } else { ctx.signed_in().map(drop) }
}

/// What of the log the caller may follow: all of it for those who hold `events:read`, what concerns them for users who
/// signed in themselves.
pub fn followed(ctx: &Ctx, filter: EventFilter) -> Result<EventFilter> {
    if ctx.holds(Permission::EventsRead) {
        return Ok(filter);
    }
    let (user, _) = ctx.signed_in()?;
    Ok(EventFilter { about: Some(user.to_string()), ..filter })
}

/// The text of a field in the data of an event. Compiles only while events of this type have the field.
macro_rules! text_of {
    ($event:expr, $Type:ident.$field:ident) => {{
        let _has_field = |data: &Happened| matches!(data, Happened::$Type { $field: _, .. });
        match $event.data.get(stringify!($field)) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        }
    }};
}

/// What an event means for the credential of somebody who follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    None,
    /// It is dead.
    Ended,
    /// It may carry something else by now: ask again.
    Changed,
}

/// What an event of a type means for whoever this is.
#[must_use]
pub fn meaning_for(principal: &Principal, kind: EventType, event: &Event) -> Meaning {
    let is_theirs = || event.about.as_str() == Some(principal.subject.to_string().as_str());
    let is_about = |text: Option<&str>, id: Uuid| text.is_some_and(|text| text == id.to_string());
    match kind {
        EventType::SessionEnded => match principal.credential {
            Credential::Session(id) if is_about(text_of!(event, SessionEnded.session_id), id.as_uuid()) => {
                Meaning::Ended
            }
            _ => Meaning::None,
        },
        EventType::ApiKeyDeleted => match principal.credential {
            Credential::ApiKey(id) | Credential::ClientToken(id)
                if is_about(text_of!(event, ApiKeyDeleted.api_key_id), id.as_uuid()) =>
            {
                Meaning::Ended
            }
            _ => Meaning::None,
        },
        EventType::UserDisabled | EventType::UserDeleted | EventType::ServiceAccountDeleted if is_theirs() => {
            Meaning::Ended
        }
        // Which key signed the token is not known here. Whoever has a good one comes again.
        EventType::SigningKeyWithdrawn => match principal.credential {
            Credential::Session(_) | Credential::ClientToken(_) => Meaning::Ended,
            Credential::ApiKey(_) | Credential::Certificate(_) => Meaning::None,
        },
        EventType::RoleUpdated | EventType::RoleDeleted => Meaning::Changed,
        EventType::UserUpdated
        | EventType::ServiceAccountUpdated
        | EventType::FactorAdded
        | EventType::FactorRemoved
        | EventType::ApiKeyRotated
            if is_theirs() =>
        {
            Meaning::Changed
        }
        _ => Meaning::None,
    }
}

/// What verifiers of tokens must know: what is dead before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The cursor of the event. Pass it as `after` to continue after it.
    pub position: i64,
    /// What is dead.
    pub revoked: Revoked,
    /// Since when. Of a user or a service account, tokens that were issued later may be good.
    pub since: crate::time::Timestamp,
}

/// What is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// Every token with this `sid`.
    Session(String),
    /// Every token with this `key_id`, and the key itself.
    ApiKey(String),
    /// Every token with this `sub`.
    Subject(String),
}

impl Revocation {
    /// The types of events that are revocations.
    pub const KINDS: &[EventType] = &[
        EventType::SessionEnded,
        EventType::ApiKeyDeleted,
        EventType::UserDisabled,
        EventType::UserDeleted,
        EventType::ServiceAccountUpdated,
        EventType::ServiceAccountDeleted,
    ];

    /// What of an event is one.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let about = || event.about.as_str().map(str::to_owned);
        let revoked = match EventType::parse(&event.kind)? {
            EventType::SessionEnded => Revoked::Session(text_of!(event, SessionEnded.session_id)?.to_owned()),
            EventType::ApiKeyDeleted => Revoked::ApiKey(text_of!(event, ApiKeyDeleted.api_key_id)?.to_owned()),
            EventType::UserDisabled | EventType::UserDeleted | EventType::ServiceAccountDeleted => {
                Revoked::Subject(about()?)
            }
            EventType::ServiceAccountUpdated
                if text_of!(event, ServiceAccountUpdated.status)? == Status::Disabled.as_str() =>
            {
                Revoked::Subject(about()?)
            }
            _ => return None,
        };
        Some(Self { position: event.position, revoked, since: event.occurred_at })
    }
}

/// A caller who may read and follow revocations: service accounts may, and those who may introspect or follow
/// everything.
pub fn require_revocations(ctx: &Ctx) -> Result<()> {
    match ctx.principal() {
        Ok(Principal { subject: Subject::ServiceAccount(_), .. }) => Ok(()),
        _ if ctx.holds(Permission::EventsRead) => Ok(()),
        Err(error @ Error::Unauthenticated(_)) => Err(error),
        _ => ctx.require(Permission::TokensIntrospect),
    }
}

/// Where a verifier begins that knows nothing: from there on is every revocation of a token that may still live.
pub async fn revocations_begin(ctx: &Ctx) -> Result<i64> {
    require_revocations(ctx)?;
    ctx.store().seal_events().await?;
    // Clocks of nodes differ a little; to tell one too many is no harm.
    let since = ctx.now().minus_seconds(ctx.policy().access_ttl_s + CLOCKS_DIFFER_S);
    let mut tx = ctx.store().snapshot().await?;
    let bounds = tx.log_bounds().await?;
    let first = tx.first_event_since(since).await?;
    Ok(first.map_or(bounds.head, |first| first - 1).max(bounds.floor))
}

/// How far the clocks of nodes and verifiers may be apart, in seconds.
const CLOCKS_DIFFER_S: u32 = 60;
