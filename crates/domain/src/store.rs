//! The port of the store: units of work. What you hold decides what you can reach.

use std::any::Any;

use async_trait::async_trait;

use crate::api_keys::store::{ApiKeyReads, ApiKeyWrites};
use crate::authority::AuthorityLock;
use crate::budgets::store::{BudgetWrites, Forgiving, Spending};
use crate::challenges::store::{ChallengeReads, ChallengeWrites};
use crate::credentials::store::{PasswordReads, PasswordWrites};
use crate::events::NewEvent;
use crate::events::chain::ChainKey;
use crate::events::store::{EventReads, EventWrites};
use crate::factors::store::{FactorReads, FactorWrites};
use crate::flows::store::FlowWrites;
use crate::idempotency::store::{IdempotencyReads, IdempotencyWrites};
use crate::identities::store::{IdentityReads, IdentityWrites};
use crate::keys::store::{RootKeyReads, RootKeyWrites, SigningKeyReads, SigningKeyWrites};
use crate::mail::store::{MailReads, MailWrites};
use crate::one_time::store::{OneTimeTokenReads, OneTimeTokenWrites};
use crate::passkeys::store::{PasskeyReads, PasskeyWrites};
use crate::providers::store::{ProviderReads, ProviderWrites};
use crate::roles::permissions_of;
use crate::roles::store::{RoleReads, RoleWrites};
use crate::service_accounts::store::{ServiceAccountReads, ServiceAccountWrites};
use crate::sessions::store::{Opened, Opening, Rotated, Rotation, SessionReads, SessionWrites, displace};
use crate::setup::store::{SetupReads, SetupWrites};
use crate::time::Timestamp;
use crate::trace::store::{TraceReads, TraceWrites};
use crate::users::Status;
use crate::users::store::{UserReads, UserWrites};
use crate::webhooks::store::{DeliveryWrites, WebhookReads, WebhookWrites};

/// Why the store did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is not there, is out of connections or time, or cannot write. It may recover by itself.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answered something that cannot be: a defect or a damaged file.
    #[error("the database returned an unexpected result")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a database answers to a [ping](Store::ping).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pong {
    /// Whether every migration of this release is applied. A database may be ahead of it.
    pub is_schema_current: bool,
}

/// A database that keeps accounts.
#[async_trait]
pub trait Store: Send + Sync {
    /// A handle for single reads: each query stands alone and is one round trip.
    async fn read(&self) -> Result<Box<dyn ReadTx>, StoreError>;

    /// A handle for several reads that must agree with each other.
    async fn snapshot(&self) -> Result<Box<dyn ReadTx>, StoreError>;

    /// A write transaction. Dropped without [`WriteTx::commit`], it leaves nothing behind.
    async fn write(&self) -> Result<Box<dyn WriteTx>, StoreError>;

    /// A write transaction that begins with these locks, in whatever order they are given, and holds them until it ends.
    /// What is read in it is what was committed before they were granted. A store whose write transactions never overlap
    /// needs no more than [`Self::write`].
    async fn write_under(&self, locks: &[AuthorityLock]) -> Result<Box<dyn WriteTx>, StoreError> {
        let _ = locks;
        self.write().await
    }

    /// Moves a session one generation on, if it is of the generation it must be, and reads it and its user: all in
    /// one step, because it is what a busy deployment writes most.
    async fn rotate_session(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let mut tx = self.write().await?;
        let is_rotated = tx.rotate_session(rotation).await?;
        let state = tx.session_state(rotation.id).await?;
        let user = match &state {
            Some(state) => tx.find_user(state.user_id).await?,
            None => None,
        };
        tx.commit().await?;
        Ok(Rotated { is_rotated, found: state.zip(user) })
    }

    /// Opens a session and notes the sign-in, if the user is active, the password still the proven one, and no second
    /// factor owed: all in one step.
    async fn open_session(&self, opening: &Opening) -> Result<Opened, StoreError> {
        let Opening { session, proven, renewed, forgiven, event, displacement } = opening;
        let mut tx = self.write_under(&AuthorityLock::on(&[session.user_id.into()])).await?;
        let user = tx.lock_user(session.user_id).await?.filter(|user| user.status == Status::Active);
        let Some(user) = user else { return Ok(Opened::Refused) };
        let current = tx.find_password(user.id).await?;
        if current.is_none_or(|current| current.expose() != proven.expose()) {
            return Ok(Opened::Refused);
        }
        let standing = tx.second_factor_standing(user.id).await?;
        if standing.owes() {
            return Ok(Opened::Owes(standing));
        }
        if let Some(renewed) = renewed {
            tx.set_password(user.id, renewed, session.created_at).await?;
        }
        tx.record_sign_in(user.id, session.created_at).await?;
        tx.insert_session(session).await?;
        displace(&mut *tx, session, displacement).await?;
        let permissions = permissions_of(&mut *tx, &user.role).await?;
        tx.record_event(NewEvent::clone(event));
        // Last: many sign-ins from one address wait for each other here.
        tx.forgive_budgets(forgiven).await?;
        tx.commit().await?;
        Ok(Opened::Session(Box::new((user, permissions))))
    }

    /// Waits until a mail was committed to the outbox through this store. For one who waits; woken once too often
    /// rather than once too seldom. What other processes commit is not told.
    async fn mail_enqueued(&self);

    /// Gives what was committed and has no number yet its place in the log, and says how many. Of several who ask, over
    /// all nodes, one works. Nothing to do where numbers are given with the commit.
    async fn seal_events(&self) -> Result<u64, StoreError>;

    /// The key for the chain of records that this store writes to the log from now on. Set once, when the server starts.
    fn key_log(&self, key: ChainKey);

    /// Waits until there may be something new in the log, or to be given its place in it: committed by this store, or
    /// as another node tells. For one who waits; woken once too often rather than once too seldom, but what another
    /// process commits may not be told.
    async fn events_recorded(&self);

    /// Counts a failure on each key, if none of them is blocked: all in one step, decided by the database. `None` when
    /// they are counted; otherwise nothing is, and it answers until when the last of them is blocked.
    async fn spend_budgets(&self, spendings: &[Spending], now: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Takes failures back, in a step of its own.
    async fn forgive_budgets(&self, forgiven: &[Forgiving]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        tx.forgive_budgets(forgiven).await?;
        tx.commit().await
    }

    /// How much the store is used at the moment.
    fn load(&self) -> StoreLoad;

    /// Whether the database answers, and what it says: one statement.
    async fn ping(&self) -> Result<Pong, StoreError>;

    /// Gives every connection back and waits for those in use.
    async fn close(&self);
}

/// How much a store is used, on this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreLoad {
    /// The maximum number of connections.
    pub connections_max: u32,
    /// Connections in use.
    pub connections_used: u32,
    /// Units of work that wait for the write lock of the database, where writes take turns in this process.
    pub writes_queued: u32,
    /// Reads that were answered by the cache, since the start.
    pub cache_hits: u64,
    /// Reads that were not in the cache, since the start.
    pub cache_misses: u64,
}

/// Work that is due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of items, at most [`Backlog::COUNT_MAX`].
    pub count: u64,
    /// The time at which the oldest of them was due.
    pub oldest_due_at: Option<Timestamp>,
}

impl Backlog {
    /// Further items are not counted.
    pub const COUNT_MAX: u32 = 10_000;
}

/// Everything that can be read.
pub trait ReadTx:
    UserReads
    + PasswordReads
    + OneTimeTokenReads
    + SetupReads
    + FactorReads
    + IdentityReads
    + ProviderReads
    + PasskeyReads
    + ChallengeReads
    + MailReads
    + EventReads
    + SessionReads
    + RoleReads
    + ServiceAccountReads
    + ApiKeyReads
    + SigningKeyReads
    + RootKeyReads
    + WebhookReads
    + IdempotencyReads
    + TraceReads
    + Send
{
}

/// Everything that can be written, and read within the same transaction.
#[async_trait]
pub trait WriteTx:
    ReadTx
    + UserWrites
    + PasswordWrites
    + OneTimeTokenWrites
    + SetupWrites
    + FactorWrites
    + FlowWrites
    + IdentityWrites
    + ProviderWrites
    + PasskeyWrites
    + FlowWrites
    + ChallengeWrites
    + MailWrites
    + EventWrites
    + SessionWrites
    + RoleWrites
    + ServiceAccountWrites
    + ApiKeyWrites
    + SigningKeyWrites
    + RootKeyWrites
    + IdempotencyWrites
    + BudgetWrites
    + TraceWrites
    + WebhookWrites
    + DeliveryWrites
{
    /// The transaction itself, for the crate of its database.
    fn as_any(&mut self) -> &mut dyn Any;

    /// Makes every change of this transaction durable, or none. After `Ok` it is on disk.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
