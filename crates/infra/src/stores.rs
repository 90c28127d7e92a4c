//! The store that a URL names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use denizen_domain::events::chain::ChainKey;
use denizen_domain::migrations::PendingMigration;
use denizen_domain::rows::{RowReader, RowWriter, WriteLock};
use denizen_domain::store::{Store, StoreError, WriteTx};
use denizen_infra_postgres::{PostgresOptions, PostgresStore};
use denizen_infra_sqlite::{ServerLock, SqliteOptions, SqliteStore};
use secrecy::SecretString;

pub use denizen_infra_postgres::{PgConnection, PoolerMode, connection_of};
pub use denizen_infra_sqlite::{ServerLockError, check_and_fold, companions, resolve, rusqlite, with_connection};

/// Begins the statements of an application in a write transaction.
///
/// # Errors
/// If the transaction is lost.
pub async fn begin_foreign(tx: &mut dyn WriteTx) -> Result<(), StoreError> {
    execute(tx, "SAVEPOINT application").await
}

/// Ends them.
///
/// # Errors
/// If one of them failed or ended the transaction: then nothing may be committed.
pub async fn end_foreign(tx: &mut dyn WriteTx) -> Result<(), StoreError> {
    execute(tx, "RELEASE SAVEPOINT application").await
}

async fn execute(tx: &mut dyn WriteTx, statement: &'static str) -> Result<(), StoreError> {
    if let Some(executed) = denizen_infra_sqlite::execute(tx, statement) {
        return executed;
    }
    let executed = denizen_infra_postgres::execute(tx, statement).await;
    executed.unwrap_or_else(|| Err(StoreError::Broken("a transaction of another database".into())))
}

/// Which database, and how to use it.
#[derive(Debug, Clone)]
pub enum StoreOptions {
    /// An embedded file.
    Sqlite(SqliteOptions),
    /// A server.
    Postgres(PostgresOptions),
}

/// How connections to PostgreSQL are pooled in front of the server.
#[derive(Debug, Clone)]
pub struct Pooling {
    /// Whether a connection has a session of the server for itself.
    pub mode: PoolerMode,
    /// Whether statements are prepared by name.
    pub prepared_statements: bool,
    /// The URL of connections that need a session for themselves.
    pub listen_url: Option<SecretString>,
}

/// Bounds on the use of a database.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// The most connections at once.
    pub max_connections: u32,
    /// The connections kept open while idle.
    pub min_connections: u32,
    /// How long to wait for a connection, in seconds.
    pub acquire_timeout_s: u32,
    /// How long one statement may run, in seconds.
    pub statement_timeout_s: u32,
}

/// Why a database URL is refused. Never quotes the URL: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; expected {expected}")]
pub struct DatabaseUrlError {
    /// What the URL is, in words that follow "is".
    pub problem: &'static str,
    /// What is expected instead.
    pub expected: &'static str,
}

const INVALID_POSTGRES_URL: DatabaseUrlError = DatabaseUrlError {
    problem: "not a valid PostgreSQL URL",
    expected: "postgres://USER:PASSWORD@HOST:PORT/NAME, with /, ?, #, @ and % in the password percent-encoded",
};

/// The right to serve a database. PostgreSQL has any number of servers, and needs none.
#[derive(Debug)]
#[must_use = "dropping it lets another server serve the database"]
pub struct ServerClaim(#[expect(dead_code, reason = "held, not read")] Option<ServerLock>);

/// How the schema of a database relates to this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// The SQLite file does not exist.
    Absent,
    /// No migration was ever applied.
    Empty,
    /// Some migrations are pending.
    Outdated {
        /// How many.
        pending: usize,
    },
    /// All migrations are applied.
    Current,
}

impl fmt::Display for StoreOptions {
    /// Names the database: the file, or host, port, database and user. Never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(options) => write!(f, "SQLite {}", options.path.display()),
            Self::Postgres(options) => f.write_str(&options.target()),
        }
    }
}

impl StoreOptions {
    /// The file of a SQLite database.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(options) => Some(&options.path),
            Self::Postgres(_) => None,
        }
    }

    /// The name of the database system (`db.system.name` of OpenTelemetry).
    #[must_use]
    pub const fn system_name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// The options that a URL and bounds name.
    ///
    /// # Errors
    /// When the URL is of no known kind, or asks for what Denizen does not do.
    pub fn parse(url: &str, limits: StoreLimits) -> Result<Self, DatabaseUrlError> {
        if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            return Ok(Self::Sqlite(SqliteOptions {
                max_readers: limits.max_connections.clamp(1, 16),
                acquire_timeout_s: limits.acquire_timeout_s,
                ..SqliteOptions::new(sqlite_path(path)?)
            }));
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            let expected = "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME";
            return Err(DatabaseUrlError { problem: "not a supported URL", expected });
        }
        let options = PostgresOptions {
            max_connections: limits.max_connections,
            min_idle_connections: limits.min_connections,
            acquire_timeout_s: limits.acquire_timeout_s,
            statement_timeout_s: limits.statement_timeout_s,
            ..PostgresOptions::new(SecretString::from(url))
        };
        options.check().map_err(|_| INVALID_POSTGRES_URL)?;
        Ok(Self::Postgres(options))
    }

    /// The same with a connection pooler in front of PostgreSQL. On SQLite it changes nothing.
    ///
    /// # Errors
    /// When `listen_url` is not a valid URL of PostgreSQL.
    pub fn pooled(self, pooling: Pooling) -> Result<Self, DatabaseUrlError> {
        let Self::Postgres(options) = self else { return Ok(self) };
        let Pooling { mode, prepared_statements, listen_url } = pooling;
        let options = PostgresOptions { pooler_mode: mode, prepared_statements, listen_url, ..options };
        options.check().map_err(|_| INVALID_POSTGRES_URL)?;
        Ok(Self::Postgres(options))
    }

    /// Checks that connections that need a session of the server for themselves have one.
    ///
    /// # Errors
    /// When the database does not answer, or a connection pooler shares sessions although the options say otherwise.
    pub async fn check_sessions(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(options) => denizen_infra_postgres::check_sessions(options).await,
        }
    }

    /// Opens the store. A server need not be there yet.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(options) => Arc::new(SqliteStore::open(options)?),
            Self::Postgres(options) => Arc::new(PostgresStore::open(options)?),
        })
    }

    /// Claims the right to serve the database: a SQLite file has one server at a time. The claim ends when it is dropped,
    /// and with the process.
    ///
    /// # Errors
    /// When another server has the file, or it cannot be locked.
    pub fn claim(&self) -> Result<ServerClaim, ServerLockError> {
        Ok(ServerClaim(match self {
            Self::Sqlite(options) => Some(ServerLock::acquire(&options.path)?),
            Self::Postgres(_) => None,
        }))
    }

    /// Brings the schema up to date. Of many nodes that start at once, one does it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::migrate(options).await,
            Self::Postgres(options) => denizen_infra_postgres::migrate(options).await,
        }
    }

    /// Applies the migrations up to this version, and no later one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn migrate_to(&self, version: i64) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::migrate_to(options, version).await,
            Self::Postgres(options) => denizen_infra_postgres::migrate_to(options, version).await,
        }
    }

    /// The version of the last migration of this release.
    #[must_use]
    pub fn newest_version(&self) -> i64 {
        match self {
            Self::Sqlite(_) => denizen_infra_sqlite::newest_version(),
            Self::Postgres(_) => denizen_infra_postgres::newest_version(),
        }
    }

    /// How many other connections of Denizen the database has, if it knows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn other_connections(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(0),
            Self::Postgres(options) => denizen_infra_postgres::other_connections(options).await,
        }
    }

    /// The tables of a SQLite file that are not Denizen's.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn foreign_tables(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::foreign_tables(options).await,
            Self::Postgres(_) => Ok(Vec::new()),
        }
    }

    /// Reads all rows as of this moment. Events that have no position yet are read with the key of the log only.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn row_reader(&self, chain_key: Option<&ChainKey>) -> Result<Box<dyn RowReader>, StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::row_reader(options).await,
            Self::Postgres(options) => denizen_infra_postgres::row_reader(options, chain_key).await,
        }
    }

    /// Writes rows in one transaction.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn row_writer(&self) -> Result<Box<dyn RowWriter>, StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::row_writer(options).await,
            Self::Postgres(options) => denizen_infra_postgres::row_writer(options).await,
        }
    }

    /// Writes rows in one transaction into a database that nobody else uses. If it fails, an SQLite file must be deleted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn draft_writer(&self) -> Result<Box<dyn RowWriter>, StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::draft_writer(options).await,
            Self::Postgres(options) => denizen_infra_postgres::row_writer(options).await,
        }
    }

    /// Keeps everybody else from writing to the database until the lock is dropped. Reads go on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lock_writes(&self) -> Result<Box<dyn WriteLock>, StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::lock_writes(options).await,
            Self::Postgres(options) => denizen_infra_postgres::lock_writes(options).await,
        }
    }

    /// How the schema relates to this release. Creates and changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        if matches!(self, Self::Sqlite(options) if !options.path.exists()) {
            return Ok(Schema::Absent);
        }
        let total = match self {
            Self::Sqlite(_) => denizen_infra_sqlite::migration_count(),
            Self::Postgres(_) => denizen_infra_postgres::migration_count(),
        };
        Ok(match self.pending().await?.len() {
            0 => Schema::Current,
            pending if pending == total => Schema::Empty,
            pending => Schema::Outdated { pending },
        })
    }

    /// What [`StoreOptions::migrate`] would do.
    pub async fn pending(&self) -> Result<Vec<PendingMigration>, StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::pending(options).await,
            Self::Postgres(options) => denizen_infra_postgres::pending(options).await,
        }
    }
}

/// The file that the rest of a SQLite URL names. It is taken literally, without percent-decoding.
fn sqlite_path(path: &str) -> Result<PathBuf, DatabaseUrlError> {
    let refused = |problem, expected| Err(DatabaseUrlError { problem, expected });
    if path.is_empty() {
        return refused("without a path", "sqlite://PATH, such as sqlite://data/denizen.db");
    }
    if path.starts_with(":memory:") || (path.contains('?') && path.contains("mode=memory")) {
        let problem = "an in-memory database, which loses all accounts when the server stops";
        return refused(problem, "sqlite://PATH with the path of a file");
    }
    if path.contains('?') || path.starts_with("file:") {
        let problem = "a SQLite URL with parameters, which are not supported";
        return refused(problem, "sqlite://PATH, without file: and without parameters");
    }
    if path.ends_with('/') || PathBuf::from(path).is_dir() {
        return refused("a folder", "the path of a file, such as sqlite://data/denizen.db");
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::{StoreLimits, StoreOptions};

    const LIMITS: StoreLimits =
        StoreLimits { max_connections: 4, min_connections: 0, acquire_timeout_s: 1, statement_timeout_s: 1 };

    #[test]
    fn a_sqlite_url_names_a_file_and_nothing_else() {
        for (url, path) in [
            ("sqlite://data/x.db", "data/x.db"),
            ("sqlite:data/x.db", "data/x.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("sqlite://my%20accounts.db", "my%20accounts.db"),
        ] {
            let Ok(StoreOptions::Sqlite(options)) = StoreOptions::parse(url, LIMITS) else { panic!("{url}") };
            assert_eq!(options.path.to_str(), Some(path), "{url}");
        }
        for (url, problem) in [
            ("sqlite://", "without a path"),
            ("sqlite::memory:", "in-memory"),
            ("sqlite://:memory:", "in-memory"),
            ("sqlite://x.db?mode=memory&cache=shared", "in-memory"),
            ("sqlite://data/x.db?mode=ro", "with parameters"),
            ("sqlite:data/x.db?mode=rwc", "with parameters"),
            ("sqlite:file:x.db", "with parameters"),
            ("sqlite://data/", "a folder"),
            ("sqlite:///", "a folder"),
            ("sqlite:///tmp", "a folder"),
            ("mysql://a/b", "not a supported URL"),
            ("postgres://denizen:a/b@db/denizen", "not a valid"),
            ("postgres://db:port/denizen", "not a valid"),
        ] {
            let error = StoreOptions::parse(url, LIMITS).unwrap_err();
            assert!(error.problem.contains(problem), "{url}: {error}");
        }
    }

    #[test]
    fn a_postgres_url_is_left_to_its_parser() {
        for url in ["postgres://denizen@db/denizen", "postgresql://u:p%2F@[::1]:5433/x?sslmode=require"] {
            assert!(matches!(StoreOptions::parse(url, LIMITS), Ok(StoreOptions::Postgres(_))), "{url}");
        }
    }
}
