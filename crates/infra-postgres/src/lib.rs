//! The store over PostgreSQL, 15 or later.
//!
//! Reading order: this file (the pool) → `tx` (what a unit of work holds) → `shared` (one file per trait of the port, compiled
//! by both store crates) → `sql` (how those run their statements here).
//! Every query is checked against the schema when this crate compiles; the offline data is in `.sqlx/`.
//!
//! Invariants:
//! - Opening the store connects nothing, and a lost connection is replaced when the database is back.
//! - No answer is waited for without end (`lend`).
//! - No query walks a table that grows with the users, and none is planned without its values.
//! - What the reads on the path of every request found is remembered (`recent`) until it changes: here, or on another
//!   node, which tells (`listen`), and for four seconds at most.

mod authority;
mod budgets;
mod changes;
mod codec;
mod connect;
mod error;
mod events;
mod inspect;
mod lend;
mod listen;
mod migrate;
mod migration_locks;
mod native;
#[cfg(test)]
mod plans;
mod pooler;
mod read_ahead;
mod recent;
mod recent_reads;
mod rotations;
mod rows;
mod sequencer;
#[path = "../../store-shared/src/mod.rs"]
mod shared;
mod spares;
mod sql;
mod to_forget;
mod tx;
mod upkeep;

pub use inspect::{Inspection, inspect, other_connections};
pub use migrate::{migrate, migrate_to, pending};
pub use native::{connection_of, execute};
pub use pooler::{PoolerInspection, check_sessions};
pub use rows::{lock_writes, row_reader, row_writer};
pub use shared::migrations::{migration_count, newest_version};
pub use sqlx::PgConnection;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use denizen_domain::authority::AuthorityLock;
use denizen_domain::budgets::store::Spending;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::sessions::store::{Rotated, Rotation};
use denizen_domain::store::{Pong, ReadTx, Store, StoreError, StoreLoad, WriteTx};
use denizen_domain::time::Timestamp;
use secrecy::SecretString;
use sqlx::Connection;
use sqlx::postgres::PgPoolOptions;
use tokio::time::timeout;

use crate::authority::{BEGIN, Beginning};
use crate::error::store_error;
use crate::lend::Lender;
use crate::listen::Listening;
use crate::recent::Recent;
use crate::rotations::Rotations;
use crate::sequencer::Sequencer;
use crate::shared::wake::{self, Waiting, Wake};
use crate::tx::PostgresTx;

/// How long a connection may lie unused before it is tried out, in seconds.
const UNTRIED_S_MAX: u64 = 1;
/// How long a connection that is tried out has to answer, in seconds.
const TRIAL_S_MAX: u64 = 1;

/// The database in traces (`db.system.name`).
const DATABASE_SYSTEM: &str = "postgresql";

/// Whether a connection has a session of the server for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolerMode {
    /// It has: there is no connection pooler, or one in session mode.
    Session,
    /// A connection pooler assigns a session for each transaction (`pool_mode = transaction` in PgBouncer).
    Transaction,
}

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=…`
    pub url: SecretString,
    /// The same for connections that need a session for themselves, which `LISTEN` and migrations do; if absent, `url` unless
    /// sessions are shared.
    pub listen_url: Option<SecretString>,
    /// Whether sessions are shared.
    pub pooler_mode: PoolerMode,
    /// Whether statements are prepared once for each connection and found by their name. A pooler in transaction mode must
    /// track them.
    pub prepared_statements: bool,
    /// How many connections there are at most; at least 1.
    pub max_connections: u32,
    /// How many connections are kept open though idle.
    pub min_idle_connections: u32,
    /// How long a unit of work waits for a connection, and a migration for its own, in seconds.
    pub acquire_timeout_s: u32,
    /// How long one statement may run, in seconds.
    pub statement_timeout_s: u32,
}

impl PostgresOptions {
    /// The defaults for a database: 20 connections, none kept idle, 3 seconds to get one, 10 per statement.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            listen_url: None,
            pooler_mode: PoolerMode::Session,
            prepared_statements: true,
            max_connections: 20,
            min_idle_connections: 0,
            acquire_timeout_s: 3,
            statement_timeout_s: 10,
        }
    }
}

/// Accounts in one PostgreSQL database.
pub struct PostgresStore {
    lender: Lender,
    recent: Arc<Recent>,
    listening: Listening,
    rotations: Rotations,
    waiting: Waiting,
    /// The key of the chain of events.
    chain_key: Arc<OnceLock<ChainKey>>,
    sequencer: Sequencer,
}

impl PostgresStore {
    /// Prepares to connect; [`migrate`] lays the tables. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the URL cannot be understood. A database that is away shows when it is used.
    pub fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let (settings, within) = (options.settings(), Duration::from_secs(options.acquire_timeout_s.into()));
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections.max(1))
            .min_connections(options.min_idle_connections)
            .acquire_timeout(within)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    match settings {
                        Some(settings) => connect::set(connection, settings, within).await,
                        None => Ok(()),
                    }
                })
            })
            .before_acquire(|connection, usage| {
                Box::pin(async move {
                    // One that was just in use is alive; one that lay idle may have been cut off meanwhile.
                    // An error closes it, and the pool goes on to the next or opens another.
                    if usage.idle_for > Duration::from_secs(UNTRIED_S_MAX) {
                        let trial = timeout(Duration::from_secs(TRIAL_S_MAX), connection.ping()).await;
                        trial.map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))??;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.connect()?);
        let lender = Lender::new(pool, options);
        let recent = Arc::new(Recent::new());
        let waiting = Waiting::default();
        let listens_at = options.connect_directly()?.map(|options| options.application_name("denizen listener"));
        let listening = Listening::prepare(listens_at, &recent, &waiting);
        let rotations = Rotations::new(&lender, &recent, options.max_connections);
        let chain_key = Arc::default();
        let sequencer = Sequencer::new(&lender, &recent, &chain_key);
        Ok(Self { lender, recent, listening, rotations, waiting, chain_key, sequencer })
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn read(&self) -> Result<Box<dyn ReadTx>, StoreError> {
        Ok(Box::new(PostgresTx::single_reads(&self.lender, &self.recent)))
    }

    async fn snapshot(&self) -> Result<Box<dyn ReadTx>, StoreError> {
        let transaction = self.lender.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &[]).await?;
        Ok(Box::new(PostgresTx::snapshot(transaction)))
    }

    async fn write(&self) -> Result<Box<dyn WriteTx>, StoreError> {
        self.write_under(&[]).await
    }

    async fn write_under(&self, locks: &[AuthorityLock]) -> Result<Box<dyn WriteTx>, StoreError> {
        let Beginning { locks, locked } = Beginning::under(locks);
        let transaction = self.lender.begin(BEGIN, &locks).await?;
        let wake = Wake::nobody(&self.waiting);
        Ok(Box::new(PostgresTx::write(transaction, locked, &self.recent, wake, &self.chain_key)))
    }

    async fn rotate_session(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        self.rotations.run(*rotation).await
    }

    async fn mail_enqueued(&self) {
        self.waiting.mail.notified().await;
    }

    async fn seal_events(&self) -> Result<u64, StoreError> {
        self.sequencer.assign_positions().await
    }

    fn key_log(&self, key: ChainKey) {
        // A second one is the same: it is derived from the root key.
        let _ = self.chain_key.set(key);
    }

    async fn events_recorded(&self) {
        self.listening.want();
        self.waiting.events.notified().await;
    }

    async fn spend_budgets(&self, spendings: &[Spending], now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        budgets::spend(&self.lender, spendings, now).await
    }

    fn load(&self) -> StoreLoad {
        let (connections_used, connections_max) = self.lender.lent();
        let (cache_hits, cache_misses) = self.recent.counts();
        StoreLoad { connections_max, connections_used, writes_queued: 0, cache_hits, cache_misses }
    }

    async fn ping(&self) -> Result<Pong, StoreError> {
        // Not checked at compile time: the table belongs to SQLx.
        let query =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version >= $1 AND success)");
        let found = query.bind(newest_version()).fetch_one(&mut self.lender.lend_to_read().await?).await;
        Ok(Pong { is_schema_current: found.map_err(store_error)? })
    }

    async fn close(&self) {
        self.rotations.close();
        self.listening.close();
        self.lender.close().await;
    }
}
