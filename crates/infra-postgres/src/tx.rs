//! A unit of work: every trait of the port is implemented for it, each in its own file of `shared`.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use denizen_domain::authority::Authority;
use denizen_domain::events::Event;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::roles::RoleKey;
use denizen_domain::roles::store::RoleReads;
use denizen_domain::sessions::SessionState;
use denizen_domain::store::{ReadTx, StoreError, WriteTx};
use denizen_domain::time::Timestamp;
use denizen_domain::trace::TraceParent;
use denizen_domain::users::User;
use sqlx::Executor;
use uuid::Uuid;

use crate::changes::{Changes, notify};
use crate::error::store_error;
use crate::events::record;
use crate::lend::{Lender, Lent};
use crate::read_ahead::ReadAhead;
use crate::recent::Recent;
use crate::shared::concurrency::Concurrency;
use crate::shared::wake::Wake;
use crate::sql::{execute, fetch_optional_scalar, fetch_scalar};
use crate::to_forget::ToForget;

/// The advisory lock that a transaction takes which may remove the last administrator ("denizen" and 1).
const LAST_ADMIN_LOCK: i64 = i64::from_be_bytes(*b"denizen\x01");

/// A unit of work on PostgreSQL.
pub(crate) struct PostgresTx(Reach);

/// What the shared sources call it.
pub(crate) type Tx = PostgresTx;

enum Reach {
    /// Queries that stand alone. A pooled connection is taken at the first that memory does not answer.
    Single { lender: Lender, recent: Arc<Recent>, connection: Option<Lent> },
    /// Statements that stand alone, through one connection, by what the database says now.
    Fresh(Lent),
    /// Queries of one transaction, which all go through its connection.
    Snapshot(Lent),
    /// The same, and writes.
    Write {
        transaction: Lent,
        changed: ToForget,
        wake: Wake,
        events: Vec<Event>,
        traces: Vec<(Uuid, TraceParent, Timestamp)>,
        /// What it has locked exclusively.
        locked: Vec<Authority>,
        ahead: ReadAhead,
        chain_key: Arc<OnceLock<ChainKey>>,
    },
}

impl PostgresTx {
    pub(crate) fn single_reads(lender: &Lender, recent: &Arc<Recent>) -> Self {
        Self(Reach::Single { lender: lender.clone(), recent: Arc::clone(recent), connection: None })
    }

    pub(crate) fn single_statements(connection: Lent) -> Self {
        Self(Reach::Fresh(connection))
    }

    pub(crate) fn snapshot(transaction: Lent) -> Self {
        Self(Reach::Snapshot(transaction))
    }

    pub(crate) fn write(
        transaction: Lent,
        locked: Vec<Authority>,
        recent: &Arc<Recent>,
        wake: Wake,
        chain_key: &Arc<OnceLock<ChainKey>>,
    ) -> Self {
        let (changed, chain_key) = (ToForget::nothing(recent), Arc::clone(chain_key));
        let ahead = ReadAhead::under(&locked);
        Self(Reach::Write {
            transaction,
            changed,
            wake,
            events: Vec::new(),
            traces: Vec::new(),
            locked,
            ahead,
            chain_key,
        })
    }

    /// What was found a moment ago; nothing for whoever must know what the database says now.
    pub(crate) fn memory(&self) -> Option<Arc<Recent>> {
        match &self.0 {
            Reach::Single { recent, .. } => Some(Arc::clone(recent)),
            Reach::Fresh(_) | Reach::Snapshot(_) | Reach::Write { .. } => None,
        }
    }

    /// The connection to query.
    pub(crate) async fn connection(&mut self) -> Result<&mut Lent, StoreError> {
        match &mut self.0 {
            Reach::Snapshot(transaction) => Ok(transaction),
            Reach::Write { transaction, ahead, .. } => {
                // The statement that follows may change what was read.
                *ahead = ReadAhead::Nothing;
                Ok(transaction)
            }
            Reach::Fresh(connection) | Reach::Single { connection: Some(connection), .. } => Ok(connection),
            Reach::Single { connection, lender, .. } => Ok(connection.insert(lender.lend_to_read().await?)),
        }
    }

    /// What was read ahead.
    pub(crate) fn ahead(&mut self) -> Option<&mut ReadAhead> {
        match &mut self.0 {
            Reach::Write { ahead, .. } => Some(ahead),
            Reach::Single { .. } | Reach::Fresh(_) | Reach::Snapshot(_) => None,
        }
    }

    /// Who has a session, if it was read a moment ago. A session never changes its owner.
    fn remembered_owner(&self, session: SessionId) -> Option<UserId> {
        let Reach::Write { changed, .. } = &self.0 else { return None };
        let state: SessionState = changed.recent.get(session.as_uuid())?;
        Some(state.user_id)
    }

    /// Notes sessions that were over and are gone, and up to which idle end all of them are.
    pub(crate) fn removed_sessions(&mut self, ids: Vec<Uuid>, until: i64) {
        if let Reach::Write { changed, .. } = &mut self.0 {
            changed.removed.extend(ids);
            changed.recent.set_removed_until(until);
        }
    }

    /// Notes that a mail is to be sent after the commit.
    pub(crate) fn mail_enqueued(&mut self) {
        if let Reach::Write { wake, .. } = &mut self.0 {
            wake.note_mail();
        }
    }

    /// Notes the trace of an event.
    pub(crate) fn push_trace(&mut self, trace: (Uuid, TraceParent, Timestamp)) {
        if let Reach::Write { traces, .. } = &mut self.0 {
            traces.push(trace);
        }
    }

    /// The traces of the events of this transaction.
    pub(crate) fn take_traces(&mut self) -> Vec<(Uuid, TraceParent, Timestamp)> {
        match &mut self.0 {
            Reach::Write { traces, .. } => std::mem::take(traces),
            _ => Vec::new(),
        }
    }

    /// Notes what is to be recorded with the commit.
    pub(crate) fn push_event(&mut self, event: Event) {
        if let Reach::Write { events, wake, .. } = &mut self.0 {
            events.push(event);
            wake.note_events();
        }
    }

    /// Notes that it has locked an account or a role exclusively.
    pub(crate) fn note_locked(&mut self, of: Authority) {
        if let Reach::Write { locked, .. } = &mut self.0 {
            locked.push(of);
        }
    }

    /// What it has locked exclusively.
    pub(crate) fn locked(&self) -> &[Authority] {
        match &self.0 {
            Reach::Write { locked, .. } => locked,
            Reach::Single { .. } | Reach::Fresh(_) | Reach::Snapshot(_) => &[],
        }
    }

    /// The key of the chain of events, where this may write.
    pub(crate) fn chain_key(&self) -> Option<ChainKey> {
        match &self.0 {
            Reach::Write { chain_key, .. } => chain_key.get().cloned(),
            Reach::Single { .. } | Reach::Fresh(_) | Reach::Snapshot(_) => None,
        }
    }

    /// Where to look for sessions to remove.
    pub(crate) fn removed_until(&self) -> i64 {
        match &self.0 {
            Reach::Write { changed, .. } => changed.recent.removed_until(),
            Reach::Single { .. } | Reach::Fresh(_) | Reach::Snapshot(_) => i64::MIN,
        }
    }
}

impl Concurrency for PostgresTx {
    async fn lock_authority(&mut self, of: impl Into<Authority>) -> Result<(), StoreError> {
        self.lock_exclusively(of.into()).await
    }

    async fn lock_role_by(&mut self, key: &RoleKey) -> Result<bool, StoreError> {
        let name = match key {
            RoleKey::Id(_) => self.find_role(key).await?.map(|role| role.name),
            RoleKey::Name(name) => Some(name.clone()),
        };
        let Some(name) = name else { return Ok(false) };
        self.lock_authority(name).await?;
        Ok(true)
    }

    async fn lock_owner_of(&mut self, session: SessionId) -> Result<bool, StoreError> {
        let owner = if let Some(owner) = self.remembered_owner(session) {
            owner
        } else {
            let found = fetch_optional_scalar!(self, Uuid, "queries/find_session_owner.sql", session.as_uuid())?;
            let Some(owner) = found else { return Ok(false) };
            UserId::from_uuid(owner)
        };
        self.lock_authority(owner).await?;
        Ok(true)
    }

    async fn lock_administrators(&mut self) -> Result<(), StoreError> {
        // In a statement of its own: the next one then sees what the holder before committed.
        execute!(self, "queries/take_advisory_lock.sql", LAST_ADMIN_LOCK).map(drop)
    }

    async fn lock_root_keys(&mut self) -> Result<(), StoreError> {
        execute!(self, "queries/claim_root_keys.sql").map(drop)
    }

    async fn plan_for_values(&mut self) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        // A session that others share must not keep it.
        let set = if connection.is_in_transaction() {
            connection.execute("SET LOCAL plan_cache_mode = force_custom_plan").await
        } else {
            connection.execute("SET plan_cache_mode = force_custom_plan").await
        };
        set.map(drop).map_err(store_error)
    }

    async fn plan_as_usual(&mut self) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let reset = if connection.is_in_transaction() {
            connection.execute("SET LOCAL plan_cache_mode = DEFAULT").await
        } else {
            connection.execute("RESET plan_cache_mode").await
        };
        reset.map(drop).map_err(store_error)
    }

    async fn lock_event_log(&mut self) -> Result<(), StoreError> {
        fetch_scalar!(self, i16, "queries/claim_event_log.sql").map(drop)
    }

    async fn session_state_ahead(&mut self, id: SessionId) -> Result<Option<Option<SessionState>>, StoreError> {
        self.session_state_and_locked_user(id.as_uuid()).await
    }

    fn user_read_ahead(&mut self, id: UserId) -> Option<User> {
        match self.ahead() {
            Some(ReadAhead::Read(user)) if user.id == id => Some(User::clone(user)),
            _ => None,
        }
    }

    fn changed(&mut self, id: Uuid) {
        if let Reach::Write { changed, .. } = &mut self.0 {
            changed.told.add(id);
        }
    }

    fn changed_everything(&mut self) {
        if let Reach::Write { changed, .. } = &mut self.0 {
            changed.told = Changes::Everything;
        }
    }

    fn changed_here(&mut self, id: Uuid) {
        if let Reach::Write { changed, .. } = &mut self.0 {
            changed.kept.add(id);
        }
    }
}

impl ReadTx for PostgresTx {}

#[async_trait]
impl WriteTx for PostgresTx {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.write_traces().await?;
        match self.0 {
            Reach::Write { transaction, changed, wake, events, .. } => {
                let payload = changed.told.payload();
                let forgets = changed.forget_on_drop();
                // At the very end: of two transactions that change the same thing, the later draws the higher number. Other
                // nodes are notified when the events get their positions. Transactions that notify by themselves are
                // committed one after the other.
                let last = if events.is_empty() {
                    payload.map(|payload| notify(&payload))
                } else {
                    Some(record(&events, payload.as_deref())?)
                };
                let committed = transaction.commit_after(last).await;
                drop(forgets);
                wake.tell();
                committed
            }
            // Never lent for writing, so there is nothing to commit.
            Reach::Single { .. } | Reach::Fresh(_) | Reach::Snapshot(_) => Ok(()),
        }
    }
}
