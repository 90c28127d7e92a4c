//! The store that a URL names.

use std::path::PathBuf;
use std::sync::Arc;

use denizen_domain::store::{Store, StoreError};
use denizen_infra_postgres::{PostgresOptions, PostgresStore};
use denizen_infra_sqlite::{SqliteOptions, SqliteStore};
use secrecy::SecretString;

/// Which database, and how to use it.
#[derive(Debug, Clone)]
pub enum StoreOptions {
    /// An embedded file.
    Sqlite(SqliteOptions),
    /// A server.
    Postgres(PostgresOptions),
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

/// A database URL of no known kind.
#[derive(Debug, thiserror::Error)]
#[error("must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
pub struct UnknownUrl;

/// A change of the schema that is yet to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its place in the order.
    pub version: i64,
    /// What it does.
    pub description: String,
}

impl StoreOptions {
    /// The options that a URL and bounds name.
    ///
    /// # Errors
    /// When the URL is of no known kind.
    pub fn parse(url: &str, limits: StoreLimits) -> Result<Self, UnknownUrl> {
        if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            if path.is_empty() {
                return Err(UnknownUrl);
            }
            return Ok(Self::Sqlite(SqliteOptions {
                max_readers: limits.max_connections.clamp(1, 16),
                acquire_timeout_s: limits.acquire_timeout_s,
                ..SqliteOptions::new(PathBuf::from(path))
            }));
        }
        let options = PostgresOptions {
            max_connections: limits.max_connections,
            min_idle_connections: limits.min_connections,
            acquire_timeout_s: limits.acquire_timeout_s,
            statement_timeout_s: limits.statement_timeout_s,
            ..PostgresOptions::new(SecretString::from(url))
        };
        let is_known = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !is_known || options.check().is_err() {
            return Err(UnknownUrl);
        }
        Ok(Self::Postgres(options))
    }

    /// Opens the store. A server need not be there yet.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(options) => Arc::new(SqliteStore::open(options)?),
            Self::Postgres(options) => Arc::new(PostgresStore::open(options)?),
        })
    }

    /// Brings the schema up to date. Of many nodes that start at once, one does it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(options) => denizen_infra_sqlite::migrate(options).await,
            Self::Postgres(options) => denizen_infra_postgres::migrate(options).await,
        }
    }

    /// What [`StoreOptions::migrate`] would do.
    pub async fn pending(&self) -> Result<Vec<PendingMigration>, StoreError> {
        Ok(match self {
            Self::Sqlite(options) => denizen_infra_sqlite::pending(options)
                .await?
                .into_iter()
                .map(|found| PendingMigration { version: found.version, description: found.description })
                .collect(),
            Self::Postgres(options) => denizen_infra_postgres::pending(options)
                .await?
                .into_iter()
                .map(|found| PendingMigration { version: found.version, description: found.description })
                .collect(),
        })
    }
}
