//! The schema, and how a database gets it.

use std::time::Duration;

use crc::{CRC_32_ISO_HDLC, Crc};
use denizen_domain::migrations::PendingMigration;
use denizen_domain::store::StoreError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, Row, query, query_scalar, raw_sql};

use crate::PostgresOptions;
use crate::connect::explain;
use crate::error::{migrate_error, store_error};
use crate::shared::migrations::{Applied, migrator, missing, newest_version};

/// Brings the schema up to date. Any number of nodes may do so at once: one works, the others wait for it.
///
/// # Errors
/// When the database is away, or a migration that was applied has been altered since.
pub async fn migrate(options: &PostgresOptions) -> Result<(), StoreError> {
    migrate_to(options, i64::MAX).await
}

/// The same up to a version.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_to(options: &PostgresOptions, version: i64) -> Result<(), StoreError> {
    if pending(options).await?.is_empty() {
        return Ok(());
    }
    let version = version.min(newest_version());
    match options.connect_directly()? {
        Some(direct) => migrate_directly(options, direct, version).await,
        None => migrate_in_one_transaction(options, version).await,
    }
}

/// Each step in a transaction of its own.
async fn migrate_directly(options: &PostgresOptions, direct: PgConnectOptions, version: i64) -> Result<(), StoreError> {
    // SQLx holds an advisory lock while it migrates. The connection has no bound on its statements: a
    // migration takes the time it takes.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(connect_timeout(options));
    let pool = pool.connect_with(direct.clone()).await.map_err(|error| explain(error, &direct))?;
    let migrated = migrator().run_to(version, &pool).await;
    pool.close().await;
    migrated.map_err(|error| migration_failed(error, &direct))
}

/// All steps in one transaction: a pooler in transaction mode assigns one session to it, so the lock can be held. The locks of
/// the first step last until the end of the last one.
async fn migrate_in_one_transaction(options: &PostgresOptions, version: i64) -> Result<(), StoreError> {
    let target = options.connect()?;
    let mut connection = options.connect_with(&target).await?;
    let migrated = async {
        let mut transaction = options.pin(&mut connection).await?;
        let database: String = query_scalar("SELECT current_database()::text").fetch_one(&mut *transaction).await?;
        query("SELECT pg_advisory_xact_lock($1)").bind(lock_number(&database)).execute(&mut *transaction).await?;
        let mut migrator = migrator();
        migrator.set_locking(false);
        // Not `run`: its future is not `Send` for a borrowed connection.
        migrator.run_direct(Some(version), &mut *transaction, false).await?;
        options.release(transaction).await.map_err(MigrateError::from)
    };
    migrated.await.map_err(|error| migration_failed(error, &target))?;
    // An error while closing the connection is ignored.
    let _ = connection.close().await;
    Ok(())
}

/// The number of the advisory lock of `sqlx`, which it takes for a session. Both exclude each other by it.
fn lock_number(database: &str) -> i64 {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    const FACTOR: i64 = 0x3d32_ad9e;
    FACTOR * i64::from(CRC.checksum(database.as_bytes()))
}

fn migration_failed(error: MigrateError, target: &PgConnectOptions) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => explain(error, target),
        error => migrate_error(error),
    }
}

/// The steps that [`migrate`] would take. Changes nothing.
///
/// # Errors
/// When the database is away.
pub async fn pending(options: &PostgresOptions) -> Result<Vec<PendingMigration>, StoreError> {
    let target = options.connect_directly()?.map_or_else(|| options.connect(), Ok)?;
    let mut connection = options.connect_with(&target).await?;
    let applied = applied(&mut connection).await.map_err(|error| explain(error, &target))?;
    connection.close().await.map_err(store_error)?;
    Ok(missing(&applied))
}

fn connect_timeout(options: &PostgresOptions) -> Duration {
    Duration::from_secs(options.acquire_timeout_s.into())
}

/// The steps that a database has taken; none where they were never noted. Without prepared statements, so that it works behind
/// any pooler.
async fn applied(connection: &mut PgConnection) -> sqlx::Result<Applied> {
    let is_there = raw_sql("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !is_there.try_get(0)? {
        return Ok(Applied::new());
    }
    let rows = raw_sql("SELECT version, checksum FROM _sqlx_migrations").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use denizen_testkit::postgres::PostgresDatabase;
    use sqlx::migrate::Migrate;
    use sqlx::{Connection, PgConnection, query_scalar};

    use super::lock_number;

    #[tokio::test]
    async fn the_lock_is_that_of_sqlx() {
        let database = PostgresDatabase::create().await;
        let mut one = PgConnection::connect(database.url()).await.unwrap();
        let mut other = PgConnection::connect(database.url()).await.unwrap();
        let name: String = query_scalar("SELECT current_database()::text").fetch_one(&mut one).await.unwrap();
        let try_lock = query_scalar::<_, bool>("SELECT pg_try_advisory_xact_lock($1)").bind(lock_number(&name));
        one.lock().await.unwrap();
        assert!(!try_lock.fetch_one(&mut other).await.unwrap());
        one.unlock().await.unwrap();
        let try_lock = query_scalar::<_, bool>("SELECT pg_try_advisory_xact_lock($1)").bind(lock_number(&name));
        assert!(try_lock.fetch_one(&mut other).await.unwrap());
    }
}
