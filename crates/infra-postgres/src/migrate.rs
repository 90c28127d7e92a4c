//! The schema, and how a database gets it.

use std::time::Duration;

use denizen_domain::store::StoreError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, query_scalar};

use crate::PostgresOptions;
use crate::error::{migrate_error, store_error};
use crate::shared::migrations::{self, Applied, PendingMigration, migrator, missing};

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

/// The steps that a database has taken; none where they were never noted.
async fn applied(connection: &mut PgConnection) -> sqlx::Result<Applied> {
    let migrator = migrator();
    let table: &str = &migrator.table_name;
    let query = query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "is_there!""#, table);
    if !query.fetch_one(&mut *connection).await? {
        return Ok(Applied::new());
    }
    migrations::applied(connection).await.map_err(|error| match error {
        MigrateError::Execute(error) => error,
        error => sqlx::Error::Migrate(Box::new(error)),
    })
}
