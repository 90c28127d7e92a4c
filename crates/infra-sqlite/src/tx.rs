//! A unit of work: every trait of the port is implemented for it, each in its own file of `shared`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use denizen_domain::authority::Authority;
use denizen_domain::events::Event;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::id::SessionId;
use denizen_domain::roles::RoleKey;
use denizen_domain::store::{ReadTx, StoreError, WriteTx};
use rusqlite::{Row, ToSql};
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use uuid::Uuid;

use crate::error::{commit_error, store_error};
use crate::events::{Head, append};
use crate::in_place::{InPlaceReaders, NotInPlace};
use crate::recent::Recent;
use crate::shared::concurrency::Concurrency;
use crate::shared::wake::Wake;
use crate::write_health::WriteHealth;

/// A unit of work on SQLite.
pub(crate) struct SqliteTx(Reach);

/// What the shared sources call it.
pub(crate) type Tx = SqliteTx;

/// What [`SqliteTx`] forgets when a write may have been committed.
pub(crate) struct ForgetOnDrop(Arc<Recent>);

impl Drop for ForgetOnDrop {
    fn drop(&mut self) {
        self.0.forget();
    }
}

enum Reach {
    /// Queries that stand alone. A pooled connection is taken only when one cannot be answered in place.
    Single {
        in_place: Arc<InPlaceReaders>,
        recent: Arc<Recent>,
        readers: SqlitePool,
        connection: Option<PoolConnection<Sqlite>>,
    },
    /// Queries of one transaction, which all go through its connection.
    Snapshot(Transaction<'static, Sqlite>),
    /// The same, and writes. Fields are dropped in this order: first the transaction ends, then all is forgotten.
    Write {
        transaction: Transaction<'static, Sqlite>,
        forget: ForgetOnDrop,
        wake: Wake,
        events: Vec<Event>,
        chain_key: Arc<OnceLock<ChainKey>>,
        head: Arc<Mutex<Option<Head>>>,
        health: Arc<WriteHealth>,
    },
}

impl SqliteTx {
    pub(crate) fn single_reads(readers: &SqlitePool, in_place: &Arc<InPlaceReaders>, recent: &Arc<Recent>) -> Self {
        let (in_place, recent, readers) = (Arc::clone(in_place), Arc::clone(recent), readers.clone());
        Self(Reach::Single { in_place, recent, readers, connection: None })
    }

    pub(crate) fn snapshot(transaction: Transaction<'static, Sqlite>) -> Self {
        Self(Reach::Snapshot(transaction))
    }

    pub(crate) fn write(
        transaction: Transaction<'static, Sqlite>,
        recent: &Arc<Recent>,
        wake: Wake,
        chain_key: &Arc<OnceLock<ChainKey>>,
        head: &Arc<Mutex<Option<Head>>>,
        health: &Arc<WriteHealth>,
    ) -> Self {
        let (forget, health) = (ForgetOnDrop(Arc::clone(recent)), Arc::clone(health));
        let (chain_key, head) = (Arc::clone(chain_key), Arc::clone(head));
        Self(Reach::Write { transaction, forget, wake, events: Vec::new(), chain_key, head, health })
    }

    /// Notes what is to be written to the log with the commit.
    pub(crate) fn push_event(&mut self, event: Event) {
        if let Reach::Write { events, wake, .. } = &mut self.0 {
            events.push(event);
            wake.note_events();
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
    pub(crate) fn memory(&self) -> Option<&Recent> {
        match &self.0 {
            Reach::Single { recent, .. } => Some(recent),
            Reach::Snapshot(_) | Reach::Write { .. } => None,
        }
    }

    /// The connection to query.
    pub(crate) async fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        match &mut self.0 {
            Reach::Snapshot(transaction) | Reach::Write { transaction, .. } => Ok(transaction),
            Reach::Single { connection: Some(connection), .. } => Ok(connection),
            Reach::Single { connection, readers, .. } => {
                Ok(connection.insert(readers.acquire().await.map_err(store_error)?))
            }
        }
    }

    /// Looks one row up by its key in place; the error sends the caller to [`Self::connection`].
    pub(crate) fn find_in_place<T>(
        &self,
        sql: &'static str,
        key: &dyn ToSql,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, NotInPlace> {
        match &self.0 {
            Reach::Single { in_place, .. } => in_place.find(sql, key, read),
            // Elsewhere is outside the transaction.
            Reach::Snapshot(_) | Reach::Write { .. } => Err(NotInPlace),
        }
    }
}

/// A write transaction holds the whole database against other writers already, and its commit makes everything forgotten.
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

    fn changed(&mut self, _: Uuid) {}

    fn changed_everything(&mut self) {}

    fn changed_here(&mut self, _: Uuid) {}
}

impl ReadTx for SqliteTx {}

#[async_trait]
impl WriteTx for SqliteTx {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        match self.0 {
            Reach::Write { mut transaction, forget, wake, mut events, chain_key, head, health } => {
                if !events.is_empty() {
                    let seen = *head.lock().unwrap_or_else(PoisonError::into_inner);
                    let appended = append(&mut transaction, &mut events, chain_key.get(), seen).await;
                    health.note(&appended);
                    let end = appended?;
                    // Whether it is committed or not: where the log does not end so, it is looked up.
                    *head.lock().unwrap_or_else(PoisonError::into_inner) = end;
                }
                let committed = transaction.commit().await.map_err(commit_error);
                health.note(&committed);
                drop(forget);
                wake.tell();
                committed
            }
            // Never lent for writing, so there is nothing to commit.
            Reach::Single { .. } | Reach::Snapshot(_) => Ok(()),
        }
    }
}
