//! The store over SQLite.
//!
//! Reading order: this file (pools) → `tx` (what a unit of work holds) → `shared` (one file per trait of the port, compiled by
//! both store crates) → `sql` (how those run their statements here).
//! Every query is checked against the schema when this crate compiles; the offline data is in `.sqlx/`.
//!
//! sqlx checks every query against the schema when this crate is compiled, by the offline data in `.sqlx/`, and runs the
//! migrations. Everything else runs through rusqlite, on the thread that asks or on a blocking one.
//!
//! Invariants:
//! - One connection writes, so a write never meets another; readers never wait for it (WAL).
//! - Writes that come at once share a transaction and its commit (`writer`): they wait for the disk once.
//! - Look-ups run on the thread that asks (`in_place`); lists, counts and snapshots on blocking threads (`readers`).
//! - The reads on the path of every request are remembered (`recent`) until a commit changes what they found.
//! - The writing connection is replaced after a write that failed.
//! - Nothing is written to a file that is no longer the one under its name (`file_identity`).
//! - No query walks the users table: each names the index that it goes by.

mod budgets;
mod codec;
mod connection;
mod error;
mod events;
mod file;
mod file_identity;
mod in_place;
mod inspect;
mod migrate;
mod migration_locks;
mod native;
mod readers;
mod recent;
mod recent_reads;
mod rows;
mod server_lock;
#[path = "../../store-shared/src/mod.rs"]
mod shared;
mod sql;
mod statement;
mod tx;
mod upkeep;
mod write_health;
mod writer;

pub use inspect::{Inspection, inspect};
pub use migrate::{migrate, migrate_to, pending};
pub use native::{execute, with_connection};
pub use rows::{check_and_fold, companions, draft_writer, foreign_tables, lock_writes, row_reader, row_writer};
pub use rusqlite;
pub use server_lock::{ServerLock, ServerLockError, resolve};
pub use shared::migrations::{migration_count, newest_version};

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use denizen_domain::budgets::store::Spending;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::store::{Pong, ReadTx, Store, StoreError, StoreLoad, WriteTx};
use denizen_domain::time::Timestamp;

use crate::file_identity::FileIdentity;
use crate::in_place::InPlaceReaders;
use crate::readers::Readers;
use crate::recent::{LOOK_INTERVAL, Recent};
use crate::shared::wake::{Waiting, Wake};
use crate::sql::{statement, values};
use crate::statement::Scalar;
use crate::tx::SqliteTx;
use crate::write_health::WriteHealth;
use crate::writer::Writer;

/// The database in traces (`db.system.name`).
const DATABASE_SYSTEM: &str = "sqlite";

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file. Its folder and itself are made when missing; the file is readable by its owner only.
    pub path: PathBuf,
    /// How many connections read on blocking threads, besides those that look up in place; at least 1.
    pub max_readers: u32,
    /// How long a unit of work waits for its connection, in seconds.
    pub acquire_timeout_s: u32,
}

impl SqliteOptions {
    /// The defaults for a file: 4 readers, 5 seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_readers: 4, acquire_timeout_s: 5 }
    }
}

/// Accounts in one SQLite file.
pub struct SqliteStore {
    in_place: Arc<InPlaceReaders>,
    readers: Arc<Readers>,
    recent: Arc<Recent>,
    writer: Writer,
    waiting: Waiting,
    health: Arc<WriteHealth>,
    identity: Arc<FileIdentity>,
    /// The key of its chain.
    chain_key: Arc<OnceLock<ChainKey>>,
}

impl SqliteStore {
    /// Opens the file, or makes an empty one; [`migrate`] lays the tables. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be made or opened.
    pub fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        file::create(&options.path)?;
        let path = &options.path;
        let acquire_timeout = Duration::from_secs(options.acquire_timeout_s.into());
        let in_place = Arc::new(InPlaceReaders::open(path)?);
        let readers = Arc::new(Readers::new(path, options.max_readers.max(1), acquire_timeout));
        tokio::spawn(Readers::close_idle(Arc::downgrade(&readers)));
        let recent = Arc::new(Recent::new(path, LOOK_INTERVAL));
        let health = Arc::new(WriteHealth::default());
        let identity = Arc::new(FileIdentity::of(path));
        let writer = Writer::new(path.clone(), acquire_timeout, &recent, &health, &identity);
        let (waiting, chain_key) = (Waiting::default(), Arc::default());
        Ok(Self { in_place, readers, recent, writer, waiting, health, identity, chain_key })
    }

    fn single_reads(&self) -> SqliteTx {
        SqliteTx::single_reads(&self.in_place, &self.recent, &self.readers)
    }

    async fn begin(&self) -> Result<SqliteTx, StoreError> {
        Ok(SqliteTx::write(self.writer.begin().await?, Wake::nobody(&self.waiting), &self.chain_key))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self) -> Result<Box<dyn ReadTx>, StoreError> {
        Ok(Box::new(self.single_reads()))
    }

    async fn snapshot(&self) -> Result<Box<dyn ReadTx>, StoreError> {
        Ok(Box::new(SqliteTx::snapshot(self.readers.lend().await?.begin().await?)))
    }

    async fn write(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        Ok(Box::new(self.begin().await?))
    }

    async fn mail_enqueued(&self) {
        self.waiting.mail.notified().await;
    }

    async fn seal_events(&self) -> Result<u64, StoreError> {
        // They have their place with the commit.
        Ok(0)
    }

    fn key_log(&self, key: ChainKey) {
        // A second one is the same: it is derived from the root key.
        let _ = self.chain_key.set(key);
    }

    async fn events_recorded(&self) {
        self.waiting.events.notified().await;
    }

    async fn spend_budgets(&self, spendings: &[Spending], now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let mut tx = Box::new(self.begin().await?);
        let blocked_until = tx.spend_budgets(spendings, now).await?;
        tx.commit().await?;
        Ok(blocked_until)
    }

    fn load(&self) -> StoreLoad {
        let (connections_used, connections_max) = self.readers.lent();
        let (cache_hits, cache_misses) = self.recent.counts();
        let writes_queued = self.writer.queued();
        StoreLoad { connections_max, connections_used, writes_queued, cache_hits, cache_misses }
    }

    async fn ping(&self) -> Result<Pong, StoreError> {
        // Not checked at compile time: the table belongs to SQLx.
        let (statement, newest) = (statement!("queries/ping.sql"), newest_version());
        let Scalar(is_schema_current) = self.single_reads().one::<Scalar<bool>>(statement, values![newest]).await?;
        self.identity.check()?;
        self.health.check(&self.writer).await?;
        Ok(Pong { is_schema_current })
    }

    async fn close(&self) {
        self.readers.close().await;
        self.in_place.close();
        // The last connection to close folds the write-ahead log into the file.
        self.writer.close().await;
    }
}
