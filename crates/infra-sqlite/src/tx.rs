//! A unit of work: every trait of the port is implemented for it, each in its own file of `shared`.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use denizen_domain::authority::Authority;
use denizen_domain::events::Event;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::id::SessionId;
use denizen_domain::roles::RoleKey;
use denizen_domain::store::{ReadTx, StoreError, WriteTx};
use denizen_domain::time::Timestamp;
use denizen_domain::trace::TraceParent;
use rusqlite::types::Value;
use rusqlite::{Connection, ToSql};
use tokio::runtime::{Handle, RuntimeFlavor};
use uuid::Uuid;

use crate::error::{broken, is_taken, store_error};
use crate::events::Head;
use crate::in_place::{InPlaceReaders, NotInPlace};
use crate::readers::{Reader, Readers};
use crate::recent::Recent;
use crate::shared::changes::Changes;
use crate::shared::concurrency::Concurrency;
use crate::shared::wake::Wake;
use crate::sql::row_not_found;
use crate::statement::{FromRow, Statement, owned};
use crate::writer::Turn;

/// A unit of work on SQLite.
pub(crate) struct SqliteTx(Reach);

/// What the shared sources call it.
pub(crate) type Tx = SqliteTx;

/// Values to bind.
type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

enum Reach {
    /// Queries that stand alone: look-ups in place, all others on blocking threads.
    Single { in_place: Arc<InPlaceReaders>, recent: Arc<Recent>, readers: Arc<Readers> },
    /// Queries of one transaction, which all go through its connection. None after a query that was given up.
    Snapshot(Option<Reader>),
    /// The same, and writes, all in place.
    Write {
        turn: Turn,
        changes: Changes,
        wake: Wake,
        events: Vec<Event>,
        traces: Vec<(Uuid, TraceParent, Timestamp)>,
        chain_key: Arc<OnceLock<ChainKey>>,
    },
}

impl SqliteTx {
    pub(crate) fn single_reads(in_place: &Arc<InPlaceReaders>, recent: &Arc<Recent>, readers: &Arc<Readers>) -> Self {
        let (in_place, recent, readers) = (Arc::clone(in_place), Arc::clone(recent), Arc::clone(readers));
        Self(Reach::Single { in_place, recent, readers })
    }

    pub(crate) fn snapshot(reader: Reader) -> Self {
        Self(Reach::Snapshot(Some(reader)))
    }

    pub(crate) fn write(turn: Turn, wake: Wake, chain_key: &Arc<OnceLock<ChainKey>>) -> Self {
        let chain_key = Arc::clone(chain_key);
        Self(Reach::Write { turn, changes: Changes::new(), wake, events: Vec::new(), traces: Vec::new(), chain_key })
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

    /// Notes what is to be written to the log with the commit.
    pub(crate) fn push_event(&mut self, event: Event) {
        if let Reach::Write { events, wake, .. } = &mut self.0 {
            events.push(event);
            wake.note_events();
        }
    }

    /// The events to write, with the key of their chain, and where the log ended when it was last seen; `None` if there are none.
    pub(crate) fn take_events(&mut self) -> Option<(Vec<Event>, Option<ChainKey>, Option<Head>)> {
        let Reach::Write { turn, events, chain_key, .. } = &mut self.0 else { return None };
        let events = std::mem::take(events);
        (!events.is_empty()).then(|| (events, chain_key.get().cloned(), turn.head()))
    }

    /// Notes where the log ends after this write.
    pub(crate) fn set_head(&mut self, head: Option<Head>) {
        if let Reach::Write { turn, .. } = &mut self.0 {
            turn.set_head(head);
        }
    }

    /// Notes that a mail is to be sent after the commit.
    pub(crate) fn mail_enqueued(&mut self) {
        if let Reach::Write { wake, .. } = &mut self.0 {
            wake.note_mail();
        }
    }

    /// The key of the chain of events, where this may write.
    pub(crate) fn chain_key(&self) -> Option<ChainKey> {
        match &self.0 {
            Reach::Write { chain_key, .. } => chain_key.get().cloned(),
            Reach::Single { .. } | Reach::Snapshot(_) => None,
        }
    }

    /// What was found a moment ago; nothing within a transaction, which reads for itself.
    pub(crate) fn memory(&self) -> Option<Arc<Recent>> {
        match &self.0 {
            Reach::Single { recent, .. } => Some(Arc::clone(recent)),
            Reach::Snapshot(_) | Reach::Write { .. } => None,
        }
    }

    /// Runs a statement that writes; how many rows it changed.
    #[expect(clippy::unused_async, reason = "the shared sources await every statement")]
    pub(crate) async fn execute(&mut self, statement: &Statement, values: Values<'_>) -> Result<u64, StoreError> {
        self.turn()?.run(|connection| statement.execute(connection, values))
    }

    /// The same for one that changes many rows. The other tasks of this thread move to another one where the runtime has more.
    #[expect(clippy::unused_async, reason = "the shared sources await every statement")]
    pub(crate) async fn execute_bulk(&mut self, statement: &Statement, values: Values<'_>) -> Result<u64, StoreError> {
        let turn = self.turn()?;
        let mut execute = || turn.run(|connection| statement.execute(connection, values));
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(execute),
            _ => execute(),
        }
    }

    /// The same as [`Self::execute`]; `None` when a unique constraint refuses it.
    #[expect(clippy::unused_async, reason = "the shared sources await every statement")]
    pub(crate) async fn execute_unless_taken(
        &mut self,
        statement: &Statement,
        values: Values<'_>,
    ) -> Result<Option<u64>, StoreError> {
        self.turn()?.run(|connection| match statement.execute(connection, values) {
            Err(error) if is_taken(&error) => Ok(None),
            done => done.map(Some),
        })
    }

    /// Looks a row up by a key.
    pub(crate) async fn find<R: FromRow>(
        &mut self,
        statement: &'static Statement,
        values: Values<'_>,
    ) -> Result<Option<R>, StoreError> {
        match &mut self.0 {
            Reach::Write { turn, .. } => turn.run(|connection| statement.first(connection, values)),
            Reach::Snapshot(reader) => {
                let reader = reader.as_mut().ok_or_else(given_up)?;
                reader.connection().and_then(|connection| statement.first(connection, values)).map_err(store_error)
            }
            Reach::Single { in_place, .. } => match in_place.find(statement, values) {
                Ok(found) => Ok(found),
                Err(NotInPlace) => self.scan(statement, values, Statement::first).await,
            },
        }
    }

    /// The one row of a result.
    pub(crate) async fn one<R: FromRow>(
        &mut self,
        statement: &'static Statement,
        values: Values<'_>,
    ) -> Result<R, StoreError> {
        let found = match &mut self.0 {
            Reach::Write { turn, .. } => turn.run(|connection| statement.first(connection, values)),
            Reach::Single { .. } | Reach::Snapshot(_) => self.scan(statement, values, Statement::first).await,
        };
        found?.ok_or_else(row_not_found)
    }

    /// All rows of a result.
    pub(crate) async fn list<R: FromRow>(
        &mut self,
        statement: &'static Statement,
        values: Values<'_>,
    ) -> Result<Vec<R>, StoreError> {
        match &mut self.0 {
            Reach::Write { turn, .. } => turn.run(|connection| statement.all(connection, values)),
            Reach::Single { .. } | Reach::Snapshot(_) => self.scan(statement, values, Statement::all).await,
        }
    }

    /// Runs a query that may take long, on a blocking thread.
    async fn scan<T: Send + 'static>(
        &mut self,
        statement: &'static Statement,
        values: Values<'_>,
        read: fn(&Statement, &Connection, &[Value]) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let values = owned(values).map_err(broken)?;
        let work = move |connection: &Connection| read(statement, connection, &values);
        match &mut self.0 {
            Reach::Single { readers, .. } => readers.lend().await?.run(work).await?.1,
            Reach::Snapshot(reader) => {
                let (kept, found) = reader.take().ok_or_else(given_up)?.run(work).await?;
                *reader = Some(kept);
                found
            }
            Reach::Write { turn, .. } => turn.run(work),
        }
    }

    pub(crate) fn turn(&mut self) -> Result<&mut Turn, StoreError> {
        match &mut self.0 {
            Reach::Write { turn, .. } => Ok(turn),
            Reach::Single { .. } | Reach::Snapshot(_) => Err(broken("a write through a handle that reads")),
        }
    }
}

fn given_up() -> StoreError {
    broken("a snapshot whose query was given up")
}

/// One write runs at a time, so it needs no locks.
impl Concurrency for SqliteTx {
    async fn lock_authority(&mut self, _: impl Into<Authority>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_role_by(&mut self, _: &RoleKey) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn lock_owner_of(&mut self, _: SessionId) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn lock_administrators(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_root_keys(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn plan_for_values(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn plan_as_usual(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn lock_event_log(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn changed(&mut self, id: Uuid) {
        if let Reach::Write { changes, .. } = &mut self.0 {
            changes.add(id);
        }
    }

    fn changed_everything(&mut self) {
        if let Reach::Write { changes, .. } = &mut self.0 {
            *changes = Changes::Everything;
        }
    }

    fn changed_here(&mut self, id: Uuid) {
        self.changed(id);
    }
}

impl ReadTx for SqliteTx {}

#[async_trait]
impl WriteTx for SqliteTx {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.append_events().await?;
        self.write_traces().await?;
        match self.0 {
            Reach::Write { turn, changes, wake, .. } => turn.commit(changes, wake).await,
            // Never lent for writing, so there is nothing to commit.
            Reach::Single { .. } | Reach::Snapshot(_) => Ok(()),
        }
    }
}
