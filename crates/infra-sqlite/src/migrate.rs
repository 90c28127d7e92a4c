//! The schema, and how a database gets it.

use std::collections::HashMap;

use denizen_domain::store::StoreError;
use sqlx::migrate::{Migrate, Migration, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, query_scalar};

use crate::connection::BUSY_TIMEOUT;
use crate::error::{broken, migrate_error, sqlx_error};
use crate::{SqliteOptions, file};

/// A step of the schema that a database has not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its number.
    pub version: i64,
    /// What it is called.
    pub description: String,
}

/// Brings the schema up to date; makes the file when it is missing. Any number of processes may do so at
/// once: one works, the others wait for it.
///
/// # Errors
/// When the file cannot be made or written, or a migration that was applied has been altered since.
pub async fn migrate(options: &SqliteOptions) -> Result<(), StoreError> {
    if pending(options).await?.is_empty() {
        return Ok(());
    }
    // The lock of sqlx does nothing on SQLite.
    let path = options.path.clone();
    let locking = tokio::task::spawn_blocking(move || {
        let lock = file::lock(&path)?;
        file::create_locked(&path, &lock)?;
        Ok(lock)
    });
    let lock = locking.await.map_err(broken)??;
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(connect(options).journal_mode(SqliteJournalMode::Wal)).await.map_err(sqlx_error)?;
    let migrated = migrator().run(&pool).await.map_err(migrate_error);
    pool.close().await;
    drop(lock);
    migrated
}

/// The steps that [`migrate`] would take: all of them when there is no file. Changes nothing.
///
/// # Errors
/// When the file cannot be read.
pub async fn pending(options: &SqliteOptions) -> Result<Vec<PendingMigration>, StoreError> {
    if !options.path.exists() {
        return Ok(missing(&HashMap::new()));
    }
    let mut connection = connect(options).connect().await.map_err(sqlx_error)?;
    let applied = applied(&mut connection).await;
    connection.close().await.map_err(sqlx_error)?;
    Ok(missing(&applied?))
}

/// How sqlx opens the file. Only [`file::create`] creates it.
fn connect(options: &SqliteOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&options.path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    // The release before this one must run on the schema after this one.
    migrator.set_ignore_missing(true).set_locking(false);
    migrator
}

/// The checksum of every applied migration by its version.
async fn applied(connection: &mut SqliteConnection) -> Result<HashMap<i64, Vec<u8>>, StoreError> {
    let migrator = migrator();
    let table: &str = &migrator.table_name;
    let query =
        query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = $1) AS "is_there!: bool""#, table);
    if !query.fetch_one(&mut *connection).await.map_err(sqlx_error)? {
        return Ok(HashMap::new());
    }
    let applied = connection.list_applied_migrations(table).await.map_err(migrate_error)?;
    Ok(applied.into_iter().map(|migration| (migration.version, migration.checksum.into_owned())).collect())
}

/// The migrations that are not applied, or were altered since; the latter fail when they are run.
fn missing(applied: &HashMap<i64, Vec<u8>>) -> Vec<PendingMigration> {
    let is_missing =
        |migration: &&Migration| applied.get(&migration.version).is_none_or(|sum| *sum != *migration.checksum);
    let pending = |migration: &Migration| PendingMigration {
        version: migration.version,
        description: migration.description.to_string(),
    };
    migrator().iter().filter(is_missing).map(pending).collect()
}
