//! The store over SQLite.
//!
//! Reading order: this file (pools) → `tx` (what a unit of work holds) → `shared` (one file per trait of the port, compiled by
//! both store crates) → `sql` (how those run their statements here).
//! Every query is checked against the schema when this crate compiles; the offline data is in `.sqlx/`.
//!
//! Invariants:
//! - One connection writes, so a write never meets another; readers never wait for it (WAL).
//! - The reads on the path of every request and of a sign-in run in place (`in_place`), by the same checked text;
//!   what the former find is remembered (`recent`) until the next commit.
//! - A refresh and the writes of a sign-in are committed in groups (`group`): many of them wait for the disk once.
//! - A connection that met an I/O error, or whose transaction did not end, is replaced before it is used again
//!   (`write_health`).
//! - Nothing is written to a file that is no longer the one under its name (`file_identity`).
//! - No query walks the users table: each names the index that it goes by.

mod budgets;
mod codec;
mod error;
mod events;
mod file;
mod file_identity;
mod group;
mod group_sessions;
mod in_place;
mod migrate;
mod recent;
mod recent_reads;
mod server_lock;
#[path = "../../store-shared/src/mod.rs"]
mod shared;
mod sql;
mod tx;
mod upkeep;
mod write_health;

pub use migrate::{PendingMigration, migrate, pending};
pub use server_lock::{ServerLock, ServerLockError};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use denizen_domain::budgets::store::{Forgiving, Spending};
use denizen_domain::events::chain::ChainKey;
use denizen_domain::sessions::store::{Opened, Opening, Rotated, Rotation};
use denizen_domain::store::{ReadTx, Store, StoreError, WriteTx};
use denizen_domain::time::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool};

use crate::error::store_error;
use crate::events::Head;
use crate::file_identity::FileIdentity;
use crate::group::{GroupWriter, Target};
use crate::in_place::InPlaceReaders;
use crate::recent::Recent;
use crate::shared::wake::{Waiting, Wake};
use crate::tx::SqliteTx;
use crate::write_health::WriteHealth;

/// How long SQLite itself waits for a lock that another process holds.
const BUSY_TIMEOUT_S: u64 = 5;
/// What a reader caches at most, in KiB.
const READER_CACHE_KIB: u32 = 4 * 1024;
/// What the writer caches at most, in KiB.
const WRITER_CACHE_KIB: u32 = 16 * 1024;
/// What is left of the write-ahead log after a checkpoint, in bytes at most.
const JOURNAL_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The database file. Its folder and itself are made when missing; the file is readable by its owner only.
    pub path: PathBuf,
    /// How many connections read, those in place not counted; at least 1.
    pub max_readers: u32,
    /// How long a unit of work waits for its connection, in seconds.
    pub acquire_timeout_s: u32,
}

impl SqliteOptions {
    /// The defaults for a file: 4 readers, 5 seconds.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_readers: 4, acquire_timeout_s: 5 }
    }

    /// How every connection opens the file. Only [`file::create`] creates it.
    fn connect(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))
            .synchronous(SqliteSynchronous::Full)
    }

    fn connect_writer(&self) -> SqliteConnectOptions {
        self.connect()
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", JOURNAL_BYTES_MAX.to_string())
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
    }

    fn connect_reader(&self) -> SqliteConnectOptions {
        self.connect().pragma("query_only", "on").pragma("cache_size", format!("-{READER_CACHE_KIB}"))
    }
}

/// Accounts in one SQLite file.
pub struct SqliteStore {
    readers: SqlitePool,
    writer: SqlitePool,
    in_place: Arc<InPlaceReaders>,
    recent: Arc<Recent>,
    group: GroupWriter,
    waiting: Waiting,
    health: Arc<WriteHealth>,
    identity: Arc<FileIdentity>,
    /// The key of its chain.
    chain_key: Arc<OnceLock<ChainKey>>,
    /// Where the log of events ended when this store last wrote to it.
    head: Arc<Mutex<Option<Head>>>,
}

impl SqliteStore {
    /// Opens the file, or makes an empty one; [`migrate`] lays the tables. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be made or opened.
    pub fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        file::create(&options.path)?;
        let in_place = Arc::new(InPlaceReaders::open(&options.path)?);
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(Duration::from_secs(options.acquire_timeout_s.into()))
                .idle_timeout(None)
                .max_lifetime(None)
                // A local file does not hang up.
                .test_before_acquire(false)
        };
        let readers = pool().before_acquire(|connection, _| {
            // A snapshot that could not be ended would be read from without end.
            let is_usable = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_usable) })
        });
        let readers = readers.max_connections(options.max_readers.max(1)).connect_lazy_with(options.connect_reader());
        let health = Arc::new(WriteHealth::default());
        let checked = Arc::clone(&health);
        let writer = pool().before_acquire(move |connection, _| {
            let is_usable = checked.is_usable(connection);
            Box::pin(async move { Ok(is_usable) })
        });
        let writer = writer.max_connections(1).connect_lazy_with(options.connect_writer());
        let recent = Arc::new(Recent::new(&options.path));
        let identity = Arc::new(FileIdentity::of(&options.path));
        let group = GroupWriter::new(Target {
            path: options.path.clone(),
            writer: writer.clone(),
            recent: Arc::clone(&recent),
            health: Arc::clone(&health),
            identity: Arc::clone(&identity),
        });
        let (waiting, chain_key, head) = (Waiting::default(), Arc::default(), Arc::default());
        Ok(Self { readers, writer, in_place, recent, group, waiting, health, identity, chain_key, head })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self) -> Result<Box<dyn ReadTx>, StoreError> {
        Ok(Box::new(SqliteTx::single_reads(&self.readers, &self.in_place, &self.recent)))
    }

    async fn snapshot(&self) -> Result<Box<dyn ReadTx>, StoreError> {
        let transaction = self.readers.begin().await.map_err(store_error)?;
        Ok(Box::new(SqliteTx::snapshot(transaction)))
    }

    async fn write(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        self.identity.check()?;
        // IMMEDIATE: a transaction that reads first and writes later would fail where it should wait.
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error);
        self.health.note(&begun);
        Ok(Box::new(SqliteTx::write(
            begun?,
            &self.recent,
            Wake::nobody(&self.waiting),
            &self.chain_key,
            &self.head,
            &self.health,
        )))
    }

    async fn rotate_session(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        group_sessions::rotate(&self.group, *rotation).await
    }

    async fn open_session(&self, opening: &Opening) -> Result<Opened, StoreError> {
        let opened = group_sessions::open(&self.group, Arc::clone(&self.chain_key), opening.clone()).await;
        self.waiting.events.notify_one();
        opened
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
        budgets::spend(&self.group, spendings.to_vec(), now).await
    }

    async fn forgive_budgets(&self, forgiven: &[Forgiving]) -> Result<(), StoreError> {
        budgets::forgive(&self.group, forgiven.to_vec()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // A bare SELECT 1 would not touch the file.
        let query = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM signing_keys) AS "any!: bool""#);
        query.fetch_one(&self.readers).await.map(drop).map_err(store_error)?;
        self.identity.check()?;
        self.health.check(&self.writer).await
    }

    async fn close(&self) {
        self.group.close().await;
        self.readers.close().await;
        self.in_place.close();
        // The last connection to close folds the write-ahead log into the file.
        self.writer.close().await;
    }
}
