//! What the log of events needs of a store.

use async_trait::async_trait;
use uuid::Uuid;

use super::chain::ChainKey;
use super::personal::is_erased_whole;
use super::tickets::Ticket;
use super::{About, ActorKind, CredentialKind, Erased, Event, EventActor, NewEvent, RecordForm, chain};
use crate::access::{Credential, Permissions, Subject};
use crate::id::{ApiKeyId, EventId, ServiceAccountId, SessionId, TicketId, UserId};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::value::{Object, Value};

/// Where the log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// The record before the first that is kept; 0 when none was ever removed.
    pub floor: i64,
    /// The hash of that record; [`super::chain::GENESIS`] when none was ever removed.
    pub floor_hash: [u8; 32],
    /// The last record; the floor when there is none.
    pub head: i64,
    /// The hash of the last record.
    pub head_hash: [u8; 32],
}

/// The last record before the keyed ones, sealed under the key of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedStart {
    /// The number of that record; 0 when every record is keyed.
    pub position: i64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The seal over both.
    pub seal: Vec<u8>,
}

/// What is sealed of the log under the key of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSeals {
    /// Where the keyed records begin; `None` in a log that only earlier releases have written.
    pub start: Option<KeyedStart>,
    /// The seal over where the log begins; `None` when an earlier release moved it.
    pub floor: Option<Vec<u8>>,
}

/// Which records are wanted, of those in a stretch of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Of these types; of all when nothing is said.
    pub kinds: Option<Vec<&'static str>>,
    /// That concern this.
    pub about: Option<String>,
    /// By this actor.
    pub actor: Option<Uuid>,
    /// Lower bound of the time range, inclusive.
    pub from: Option<Timestamp>,
    /// Upper bound of the time range, exclusive.
    pub until: Option<Timestamp>,
}

impl RecordFilter {
    /// Whether an index finds the records: those of a subject or an actor.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.about.is_some() || self.actor.is_some()
    }

    /// Whether the index also finds records that do not pass.
    #[must_use]
    pub fn passes_over_indexed(&self) -> bool {
        let has_both = self.about.is_some() && self.actor.is_some();
        has_both || self.kinds.is_some() || self.from.is_some() || self.until.is_some()
    }
}

/// The place of a deletion among all deletions, in the order of their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletionKey {
    /// The time of the deletion.
    pub occurred_at: Timestamp,
    /// The number of its record.
    pub position: i64,
}

/// The parts of a record that are erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Erasure {
    /// The number of the record.
    pub position: i64,
    /// The digest of the address and the user agent, when they are erased.
    pub origin: Option<[u8; 32]>,
    /// The digest of the personal members of the data, and the data without them, when they are erased.
    pub data: Option<([u8; 32], Object)>,
}

/// Reading the log.
#[async_trait]
pub trait EventReads {
    /// Where the log begins and ends.
    async fn log_bounds(&mut self) -> Result<LogBounds, StoreError>;

    /// What is sealed of the log.
    async fn log_seals(&mut self) -> Result<LogSeals, StoreError>;

    /// The first `limit` records with a number above `after` and up to `until`, in order.
    async fn events_between(&mut self, after: i64, until: i64, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// The records at these positions, in order; those that the log no longer has are left out.
    async fn events_at(&mut self, positions: &[i64]) -> Result<Vec<Event>, StoreError>;

    /// The first record that is no older than a moment.
    async fn first_event_since(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError>;

    /// The records of deletions of users behind `after` that are older than `before` and contain personal data, the oldest
    /// first, at most so many.
    async fn deletions_to_pseudonymize(
        &mut self,
        before: Timestamp,
        after: DeletionKey,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;

    /// The last record that is older than a moment.
    async fn last_event_before(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError>;

    /// The position of the record with this number, counted from 0, among those above `after` and up to `until` that concern
    /// the subject of the filter, or were done by its actor if it names no subject. `None` if there are fewer, or the filter
    /// names neither. The other conditions are not applied: this is how far a request may read.
    async fn nth_event(
        &mut self,
        filter: &RecordFilter,
        after: i64,
        until: i64,
        number: u32,
    ) -> Result<Option<i64>, StoreError>;

    /// What [`Self::events_between`] finds, of those that pass a filter.
    async fn find_events(
        &mut self,
        filter: &RecordFilter,
        after: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError>;
}

/// Writing the log.
#[async_trait]
pub trait EventWrites {
    /// Adds what happened, to be written with the commit: after everything else of the transaction, so that the order of
    /// the log is the order of the changes.
    fn record_event(&mut self, event: NewEvent);

    /// Adds a ticket.
    async fn insert_ticket(&mut self, ticket: &Ticket) -> Result<(), StoreError>;

    /// Takes a ticket that is still good away, by one statement: of many who use it at once, one gets it.
    async fn take_ticket(&mut self, id: TicketId, now: Timestamp) -> Result<Option<Ticket>, StoreError>;

    /// Removes at most so many tickets that are past their time, and says how many.
    async fn purge_tickets(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Where the log begins and ends, from now on unchanged by others until the end of the transaction.
    async fn lock_log(&mut self) -> Result<LogBounds, StoreError>;

    /// Replaces what is sealed of the log.
    async fn set_log_seals(&mut self, seals: &LogSeals) -> Result<(), StoreError>;

    /// Erases parts of records. Records that the log no longer has are skipped; the other parts of a record stay.
    async fn erase_events(&mut self, erasures: &[Erasure]) -> Result<(), StoreError>;

    /// Removes at most so many of the first records, as far as all of them are older than `before`, and says how many.
    /// The new beginning is sealed when the one before was.
    async fn remove_events(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}

/// A record as a store keeps it, less its data, which is JSON text there.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns of the tables")]
pub struct EventRow {
    pub position: i64,
    pub id: Uuid,
    pub kind: String,
    pub about: Option<String>,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub credential_kind: Option<String>,
    pub credential_id: Option<Uuid>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub occurred_at: i64,
    pub data: String,
    pub hash: Vec<u8>,
    pub form: i64,
    pub erased_origin: Option<Vec<u8>>,
    pub erased_data: Option<Vec<u8>>,
}

impl EventRow {
    /// The record, with its data if it is written as we write it. What is not in the form that we write was bent by
    /// somebody: such a record bears no hash, so that whoever checks it finds it wrong.
    #[must_use]
    pub fn event(self, data: Option<Object>) -> Event {
        let is_whole = data.is_some() && self.is_in_form();
        let credential = self.credential_kind.as_deref().and_then(CredentialKind::parse).zip(self.credential_id);
        let mut event = Event {
            position: self.position,
            id: EventId::from_uuid(self.id),
            kind: self.kind,
            about: About::from_stored(self.about),
            actor: EventActor {
                kind: ActorKind::parse(&self.actor_kind).unwrap_or(ActorKind::Anonymous),
                id: self.actor_id,
                credential,
            },
            address: self.address.and_then(|address| address.parse().ok()),
            user_agent: self.user_agent,
            occurred_at: Timestamp::from_micros(self.occurred_at),
            data: data.unwrap_or_default(),
            hash: if is_whole { self.hash.try_into().unwrap_or_default() } else { [0; 32] },
            form: RecordForm::from_number(self.form).unwrap_or(RecordForm::Whole),
            erased: Erased { origin: digest(self.erased_origin), data: digest(self.erased_data) },
        };
        if !is_erased_whole(&event) {
            event.hash = [0; 32];
        }
        event
    }

    /// Whether nothing is lost in reading it.
    fn is_in_form(&self) -> bool {
        let is_credential = match &self.credential_kind {
            Some(kind) => CredentialKind::parse(kind).is_some() && self.credential_id.is_some(),
            None => self.credential_id.is_none(),
        };
        let is_address = self.address.as_ref().is_none_or(|address| {
            address.parse::<std::net::IpAddr>().is_ok_and(|parsed| parsed.to_string() == *address)
        });
        let is_moment = Timestamp::from_micros(self.occurred_at).as_micros() == self.occurred_at;
        let is_digest = |digest: &Option<Vec<u8>>| digest.as_ref().is_none_or(|digest| digest.len() == 32);
        let is_form = RecordForm::from_number(self.form).is_some();
        let is_erased = is_digest(&self.erased_origin) && is_digest(&self.erased_data);
        ActorKind::parse(&self.actor_kind).is_some() && is_credential && is_address && is_moment && is_form && is_erased
    }
}

fn digest(stored: Option<Vec<u8>>) -> Option<[u8; 32]> {
    stored.and_then(|digest| digest.try_into().ok())
}

impl Event {
    /// The columns of its row, in the order of the tables; ids and the hash in hexadecimal. The data is given as JSON text.
    #[must_use]
    pub fn columns(&self, data: String) -> Value {
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::String(text.to_owned()));
        let id = |id: Option<Uuid>| id.map_or(Value::Null, |id| Value::String(id.simple().to_string()));
        Value::Array(vec![
            Value::Integer(self.position),
            id(Some(self.id.as_uuid())),
            text(Some(&self.kind)),
            text(self.about.as_str()),
            text(Some(self.actor.kind.as_str())),
            id(self.actor.id),
            text(self.actor.credential.map(|(kind, _)| kind.as_str())),
            id(self.actor.credential.map(|(_, id)| id)),
            self.address.map_or(Value::Null, |address| Value::String(address.to_string())),
            text(self.user_agent.as_deref()),
            Value::Integer(self.occurred_at.as_micros()),
            Value::String(data),
            Value::String(chain::hexadecimal(&self.hash)),
            Value::Integer(self.form.number()),
        ])
    }
}

impl Erasure {
    /// The columns of the statement that erases: the number, the digests in hexadecimal, the data as JSON text.
    #[must_use]
    pub fn columns(&self, data: Option<String>) -> Value {
        let hexadecimal = |bytes: &[u8; 32]| Value::String(chain::hexadecimal(bytes));
        Value::Array(vec![
            Value::Integer(self.position),
            self.origin.as_ref().map_or(Value::Null, hexadecimal),
            self.data.as_ref().map_or(Value::Null, |(digest, _)| hexadecimal(digest)),
            data.map_or(Value::Null, Value::String),
        ])
    }
}

/// Gives records their place after one, in order, and their hash: under the key, once the store has it.
pub fn follow_on(events: &mut [Event], key: Option<&ChainKey>, mut position: i64, mut hash: [u8; 32]) {
    for event in events {
        position += 1;
        event.position = position;
        event.form = if key.is_some() { RecordForm::Digested } else { RecordForm::Whole };
        event.hash = key.map_or_else(|| chain::hash(&hash, event), |key| key.hash(&hash, event));
        hash = event.hash;
    }
}

/// A ticket as a store keeps it.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct TicketRow {
    pub id: Uuid,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub credential_kind: String,
    pub credential_id: Uuid,
    pub permissions: String,
    pub credential_expires_at: Option<i64>,
    pub expires_at: i64,
}

impl TicketRow {
    /// The ticket; `None` when it is of a kind that this release does not know.
    #[must_use]
    pub fn ticket(self) -> Option<Ticket> {
        let id = self.credential_id;
        Some(Ticket {
            id: TicketId::from_uuid(self.id),
            subject: match ActorKind::parse(&self.subject_kind)? {
                ActorKind::User => Subject::User(UserId::from_uuid(self.subject_id)),
                ActorKind::ServiceAccount => Subject::ServiceAccount(ServiceAccountId::from_uuid(self.subject_id)),
                ActorKind::Anonymous | ActorKind::Operator | ActorKind::System => return None,
            },
            credential: match CredentialKind::parse(&self.credential_kind)? {
                CredentialKind::Session => Credential::Session(SessionId::from_uuid(id)),
                CredentialKind::ApiKey => Credential::ApiKey(ApiKeyId::from_uuid(id)),
                CredentialKind::ClientToken => Credential::ClientToken(ApiKeyId::from_uuid(id)),
                CredentialKind::Certificate => Credential::Certificate(ServiceAccountId::from_uuid(id)),
            },
            permissions: Permissions::from_stored(&self.permissions),
            credential_expires_at: self.credential_expires_at.map(Timestamp::from_micros),
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }

    /// The row of a ticket.
    #[must_use]
    pub fn of(ticket: &Ticket) -> Self {
        let EventActor { kind, id, credential } = EventActor::known(ticket.subject, Some(ticket.credential));
        let (credential_kind, credential_id) = credential.unwrap_or((CredentialKind::Session, Uuid::nil()));
        Self {
            id: ticket.id.as_uuid(),
            subject_kind: kind.as_str().to_owned(),
            subject_id: id.unwrap_or_default(),
            credential_kind: credential_kind.as_str().to_owned(),
            credential_id,
            permissions: ticket.permissions.to_string(),
            credential_expires_at: ticket.credential_expires_at.map(Timestamp::as_micros),
            expires_at: ticket.expires_at.as_micros(),
        }
    }
}
