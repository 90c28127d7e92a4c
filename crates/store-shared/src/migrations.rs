//! The steps of the schema.

use std::collections::HashMap;

use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};

/// A step of the schema that a database has not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its number.
    pub version: i64,
    /// What it is called.
    pub description: String,
}

/// The checksum of every applied migration by its version.
pub(crate) type Applied = HashMap<i64, Vec<u8>>;

/// All steps.
pub(crate) fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    // The release before this one must run on the schema after this one.
    migrator.set_ignore_missing(true);
    migrator
}

/// How many steps there are.
#[must_use]
pub fn migration_count() -> usize {
    migrator().iter().count()
}

/// The steps that a database with a table of them has taken.
pub(crate) async fn applied(connection: &mut impl Migrate) -> Result<Applied, MigrateError> {
    let applied = connection.list_applied_migrations(&migrator().table_name).await?;
    Ok(applied.into_iter().map(|migration| (migration.version, migration.checksum.into_owned())).collect())
}

/// The steps that are not applied, or were altered since; the latter fail when they are run.
pub(crate) fn missing(applied: &Applied) -> Vec<PendingMigration> {
    let is_missing =
        |migration: &&Migration| applied.get(&migration.version).is_none_or(|sum| *sum != *migration.checksum);
    let pending = |migration: &Migration| PendingMigration {
        version: migration.version,
        description: migration.description.to_string(),
    };
    migrator().iter().filter(is_missing).map(pending).collect()
}
