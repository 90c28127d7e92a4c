//! The schema, and how a database gets it.

use denizen_domain::migrations::PendingMigration;
use denizen_domain::store::StoreError;
use sqlx::migrate::Migrate;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, query_scalar};

use crate::connection::BUSY_TIMEOUT;
use crate::error::{broken, migrate_error, sqlx_error};
use crate::shared::migrations::{Applied, migrator, missing, newest_version};
use crate::{SqliteOptions, file};

/// Brings the schema up to date; makes the file when it is missing. Any number of processes may do so at
/// once: one works, the others wait for it.
///
/// # Errors
/// When the file cannot be made or written, or a migration that was applied has been altered since.
pub async fn migrate(options: &SqliteOptions) -> Result<(), StoreError> {
    migrate_to(options, i64::MAX).await
}

/// The same up to a version.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_to(options: &SqliteOptions, version: i64) -> Result<(), StoreError> {
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
    let migrated =
        migrator().set_locking(false).run_to(version.min(newest_version()), &pool).await.map_err(migrate_error);
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
        return Ok(missing(&Applied::new()));
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

/// The steps that a database has taken; none where they were never noted.
async fn applied(connection: &mut SqliteConnection) -> Result<Applied, StoreError> {
    let migrator = migrator();
    let table: &str = &migrator.table_name;
    let query =
        query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = $1) AS "is_there!: bool""#, table);
    if !query.fetch_one(&mut *connection).await.map_err(sqlx_error)? {
        return Ok(Applied::new());
    }
    let applied = connection.list_applied_migrations(table).await.map_err(migrate_error)?;
    Ok(applied.into_iter().map(|migration| (migration.version, migration.checksum.into_owned())).collect())
}
