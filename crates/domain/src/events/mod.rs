//! The log of what happened: every change writes what it did, in its own transaction.
//!
//! Reading order: [`catalogue`] (what can happen) → this file (an event, and its place in the log) → `record` (how a use
//! case writes one) → [`chain`] (how records are bound to each other) → [`store`] (how the log is kept).
//!
//! Invariants:
//! - The log is numbered without a gap, in the order in which changes to one thing were made. An event has its number
//!   once its transaction is committed, and not before: no reader passes an event that is yet to come, and none sees
//!   one that was rolled back.
//! - No secret is ever in an event: a field is of one of the types of [`catalogue::Field`], and no secret is.

pub mod catalogue;
pub mod chain;
mod declare;
mod fields;
pub mod follow;
pub mod list;
pub mod personal;
pub mod pseudonymize;
pub mod purge;
mod record;
pub mod store;
pub mod tickets;

pub use catalogue::{EventType, Happened};
pub use follow::{Meaning, Revocation, Revoked, followed, meaning_for, require_following};
pub use list::{EventFilter, EventPage, list, list_own, scan_end};
pub use personal::{Erased, RecordForm};
pub use pseudonymize::Pseudonymization;
pub use purge::purge;
pub(crate) use record::{by, record, record_by, record_ended, record_system};

use std::net::IpAddr;

use uuid::Uuid;

use crate::access::{Actor, Credential, Origin, Principal, Subject};
use crate::id::{EventId, RoleId, ServiceAccountId, UserId, WebhookId};
use crate::time::Timestamp;
use crate::trace::TraceParent;
use crate::value::Object;

/// What happened, before it has its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Names it for ever: what a receiver knows a repetition by.
    pub id: EventId,
    /// What happened, by the name that is in the [catalogue].
    pub kind: EventType,
    /// The resource that the event is about.
    pub about: About,
    /// The actor.
    pub actor: EventActor,
    /// From where.
    pub address: Option<IpAddr>,
    /// By what program.
    pub user_agent: Option<String>,
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// What else there is to say, by the [catalogue].
    pub data: Object,
    /// The span in which it happened. Not part of the record.
    pub trace: Option<TraceParent>,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number. The first there ever was is 1.
    pub position: i64,
    /// Names it for ever.
    pub id: EventId,
    /// What happened. Another release may have written a type that this one does not know.
    pub kind: String,
    /// The resource that the event is about.
    pub about: About,
    /// The actor.
    pub actor: EventActor,
    /// From where.
    pub address: Option<IpAddr>,
    /// By what program.
    pub user_agent: Option<String>,
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// What else there is to say, by the [catalogue].
    pub data: Object,
    /// Binds it to the record before: [`chain`].
    pub hash: [u8; 32],
    /// How it is authenticated.
    pub form: RecordForm,
    /// The digests of what was erased from it.
    pub erased: Erased,
}

/// Whom or what an event concerns: the bare id. Of what kind it is, the type of the event says.
///
/// What happens to a session, a password, a second factor or an API key concerns its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About(Option<String>);

impl About {
    /// Takes over what a store kept.
    #[must_use]
    pub const fn from_stored(id: Option<String>) -> Self {
        Self(id)
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<UserId> for About {
    fn from(id: UserId) -> Self {
        Self(Some(id.to_string()))
    }
}

impl From<ServiceAccountId> for About {
    fn from(id: ServiceAccountId) -> Self {
        Self(Some(id.to_string()))
    }
}

impl From<RoleId> for About {
    fn from(id: RoleId) -> Self {
        Self(Some(id.to_string()))
    }
}

impl From<WebhookId> for About {
    fn from(id: WebhookId) -> Self {
        Self(Some(id.to_string()))
    }
}

impl From<Subject> for About {
    fn from(owner: Subject) -> Self {
        Self(Some(owner.to_string()))
    }
}

impl From<&str> for About {
    fn from(id: &str) -> Self {
        Self(Some(id.to_owned()))
    }
}

/// The actor of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventActor {
    /// Of what kind they are.
    pub kind: ActorKind,
    /// Which one, of those that have an id.
    pub id: Option<Uuid>,
    /// By which credential.
    pub credential: Option<(CredentialKind, Uuid)>,
}

macro_rules! named {
    ($(#[$doc:meta])* $Name:ident { $($(#[$item:meta])* $Item:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Name {
            $($(#[$item])* $Item,)+
        }

        impl $Name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$Item,)+];

            /// Its name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Item => $name,)+
                }
            }

            /// Reads a name.
            #[must_use]
            pub fn parse(raw: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == raw)
            }
        }
    };
}

named! {
    /// Who can do something.
    ActorKind {
        /// Nobody who is known.
        Anonymous = "anonymous",
        /// A person.
        User = "user",
        /// A program.
        ServiceAccount = "service_account",
        /// Whoever has the machine in their hands: the command line.
        Operator = "operator",
        /// The server itself.
        System = "system",
    }
}

named! {
    /// By what somebody is known.
    CredentialKind {
        /// A session.
        Session = "session",
        /// An API key.
        ApiKey = "api_key",
        /// An access token that a service account got for an API key.
        ClientToken = "client_token",
        /// A client certificate.
        Certificate = "certificate",
    }
}

impl EventActor {
    /// The server itself.
    pub const SYSTEM: Self = Self { kind: ActorKind::System, id: None, credential: None };

    /// Somebody with good credentials.
    #[must_use]
    pub fn known(subject: Subject, credential: Option<Credential>) -> Self {
        let (kind, id) = match subject {
            Subject::User(id) => (ActorKind::User, id.as_uuid()),
            Subject::ServiceAccount(id) => (ActorKind::ServiceAccount, id.as_uuid()),
        };
        let credential = credential.map(|credential| match credential {
            Credential::Session(id) => (CredentialKind::Session, id.as_uuid()),
            Credential::ApiKey(id) => (CredentialKind::ApiKey, id.as_uuid()),
            Credential::ClientToken(id) => (CredentialKind::ClientToken, id.as_uuid()),
            Credential::Certificate(id) => (CredentialKind::Certificate, id.as_uuid()),
        });
        Self { kind, id: Some(id), credential }
    }
}

impl From<&Actor> for EventActor {
    fn from(actor: &Actor) -> Self {
        let bare = |kind| Self { kind, id: None, credential: None };
        match actor {
            Actor::Anonymous => bare(ActorKind::Anonymous),
            Actor::Known(Principal { subject, credential, .. }) => Self::known(*subject, Some(*credential)),
            Actor::Operator => bare(ActorKind::Operator),
            Actor::System => Self::SYSTEM,
        }
    }
}

impl NewEvent {
    /// An event of this moment.
    pub(crate) fn new(
        services: &crate::ctx::Services,
        actor: EventActor,
        origin: &Origin,
        about: About,
        happened: Happened,
    ) -> Self {
        Self {
            id: EventId::new(services.clock.as_ref(), services.random.as_ref()),
            kind: happened.kind(),
            about,
            actor,
            address: origin.address,
            user_agent: origin.user_agent.clone(),
            occurred_at: services.clock.now(),
            data: happened.data(),
            trace: origin.trace,
        }
    }

    /// The record that it becomes, once it has a place in the log.
    #[must_use]
    pub fn unplaced(self) -> Event {
        Event {
            position: 0,
            id: self.id,
            kind: self.kind.as_str().to_owned(),
            about: self.about,
            actor: self.actor,
            address: self.address,
            user_agent: self.user_agent,
            occurred_at: self.occurred_at,
            data: self.data,
            hash: [0; 32],
            form: RecordForm::Whole,
            erased: Erased::default(),
        }
    }
}
