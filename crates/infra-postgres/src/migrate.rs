//! The schema, and how a database gets it.

use std::collections::HashMap;
use std::time::Duration;

use denizen_domain::store::StoreError;
use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, query_scalar};

use crate::PostgresOptions;
use crate::error::{migrate_error, store_error};

/// A step of the schema that a database has not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its number.
    pub version: i64,
    /// What it is called.
    pub description: String,
}

/// Brings the schema up to date. Any number of nodes may do so at once: one works, the others wait for it.
///
/// # Errors
/// When the database is away, or a migration that was applied has been altered since.
pub async fn migrate(options: &PostgresOptions) -> Result<(), StoreError> {
    if pending(options).await?.is_empty() {
        return Ok(());
    }
    // SQLx holds an advisory lock while it migrates. The connection has no bound on its statements: a
    // migration takes the time it takes.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(connect_timeout(options));
    let pool = pool.connect_with(options.connect()?).await.map_err(|error| options.explain(error))?;
    let migrated = migrator().run(&pool).await;
    pool.close().await;
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => options.explain(error),
        error => migrate_error(error),
    })
}

/// The steps that [`migrate`] would take. Changes nothing.
///
/// # Errors
/// When the database is away.
pub async fn pending(options: &PostgresOptions) -> Result<Vec<PendingMigration>, StoreError> {
    let mut connection = options.connect_once().await?;
    let applied = applied(&mut connection).await.map_err(|error| options.explain(error))?;
    connection.close().await.map_err(store_error)?;
    Ok(missing(&applied))
}

fn connect_timeout(options: &PostgresOptions) -> Duration {
    Duration::from_secs(options.acquire_timeout_s.into())
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    // The release before this one must run on the schema after this one.
    migrator.set_ignore_missing(true);
    migrator
}

/// The checksum of every applied migration by its version.
async fn applied(connection: &mut PgConnection) -> sqlx::Result<HashMap<i64, Vec<u8>>> {
    let migrator = migrator();
    let table: &str = &migrator.table_name;
    let query = query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "is_there!""#, table);
    if !query.fetch_one(&mut *connection).await? {
        return Ok(HashMap::new());
    }
    let applied = connection.list_applied_migrations(table).await.map_err(|error| match error {
        MigrateError::Execute(error) => error,
        error => sqlx::Error::Migrate(Box::new(error)),
    })?;
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
