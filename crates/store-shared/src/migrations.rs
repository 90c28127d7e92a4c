//! The steps of the schema.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use denizen_domain::migrations::{PendingMigration, TableLock};
use sqlx::migrate::{Migration, Migrator};

use super::migration_sql::{statements, word_after};
use crate::migration_locks::{effects, merge};

/// The effects of a statement.
pub(crate) struct Effects {
    /// The locks that it takes, on any table.
    pub(crate) locks: Vec<TableLock>,
    /// The table that it creates.
    pub(crate) created: Option<String>,
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

/// The version of the last migration.
#[must_use]
pub fn newest_version() -> i64 {
    static NEWEST: LazyLock<i64> =
        LazyLock::new(|| migrator().iter().map(|step| step.version).max().unwrap_or_default());
    *NEWEST
}

/// The steps that are not applied, or were altered since; the latter fail when they are run.
pub(crate) fn missing(applied: &Applied) -> Vec<PendingMigration> {
    let is_missing =
        |migration: &&Migration| applied.get(&migration.version).is_none_or(|sum| *sum != *migration.checksum);
    let mut created = HashSet::new();
    migrator().iter().filter(is_missing).map(|migration| describe(migration, &mut created)).collect()
}

/// A pending migration, after others that have created these tables.
fn describe(migration: &Migration, created: &mut HashSet<String>) -> PendingMigration {
    let (mut locks, mut unknown_statements) = (Vec::new(), Vec::new());
    for statement in statements(migration.sql.as_str()) {
        let words: Vec<&str> = statement.iter().map(String::as_str).collect();
        let Some(effects) = effects(&words, table_of_index) else {
            unknown_statements.push(statement.join(" "));
            continue;
        };
        created.extend(effects.created);
        locks.extend(effects.locks.into_iter().filter(|lock| !created.contains(&lock.table)));
    }
    let description = migration.description.to_string();
    PendingMigration { version: migration.version, description, locks: merge(&locks), unknown_statements }
}

/// The table of an index that a migration creates.
fn table_of_index(index: &str) -> Option<String> {
    let all = migrator();
    let mut statements = all.iter().flat_map(|migration| statements(migration.sql.as_str()));
    statements.find_map(|statement| {
        let words: Vec<&str> = statement.iter().map(String::as_str).collect();
        let is_creation = words[0] == "create" && word_after(&words, "index") == Some(index);
        is_creation.then(|| word_after(&words, "on").map(str::to_owned)).flatten()
    })
}

/// Every migration, as if it were the only one that is pending.
#[cfg(test)]
pub(crate) fn describe_each() -> Vec<PendingMigration> {
    migrator().iter().map(|migration| describe(migration, &mut HashSet::new())).collect()
}
