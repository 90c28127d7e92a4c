//! The locks that the statements of migrations take.
//!
//! Source: <https://www.postgresql.org/docs/current/explicit-locking.html>, and the pages of the statements. A test compares
//! them with `pg_locks` for every migration.

use denizen_domain::migrations::{TableLock, TableWork};

use crate::shared::migration_sql::{parts, word_after};
use crate::shared::migrations::Effects;

/// A lock mode of a table, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    AccessExclusive,
}

impl Mode {
    /// Its name in the documentation.
    fn name(self) -> &'static str {
        match self {
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// A lock of this mode. `SELECT` takes `ACCESS SHARE`; `INSERT`, `UPDATE` and `DELETE` take `ROW EXCLUSIVE`.
    fn on(self, table: &str, work: TableWork) -> TableLock {
        TableLock {
            table: table.to_owned(),
            mode: self.name(),
            blocks_reads: self == Self::AccessExclusive,
            blocks_writes: self >= Self::Share,
            work,
        }
    }
}

/// The effects of a statement, if it is of a known kind.
///
/// | statement | lock | existing rows |
/// | --- | --- | --- |
/// | `CREATE TABLE … REFERENCES t` | `SHARE ROW EXCLUSIVE` on `t` | |
/// | `CREATE INDEX … ON t` | `SHARE` | read |
/// | `CREATE INDEX CONCURRENTLY … ON t` | `SHARE UPDATE EXCLUSIVE` | read |
/// | `DROP INDEX` | `ACCESS EXCLUSIVE` on the table of the index | |
/// | `ALTER TABLE t ADD COLUMN` | `ACCESS EXCLUSIVE` | read with `CHECK`; written if the default is computed |
/// | `INSERT INTO t` | `ROW EXCLUSIVE` | |
/// | `CREATE FUNCTION` | | |
pub(crate) fn effects(words: &[&str], table_of_index: impl Fn(&str) -> Option<String>) -> Option<Effects> {
    let locks = |locks| Some(Effects { locks, created: None });
    match words {
        ["create", "table", "if", "not", "exists", table, rest @ ..] | ["create", "table", table, rest @ ..] => {
            Some(Effects { locks: on_referenced(rest), created: Some((*table).to_owned()) })
        }
        ["create", "index", "concurrently", rest @ ..] | ["create", "unique", "index", "concurrently", rest @ ..] => {
            locks(vec![Mode::ShareUpdateExclusive.on(word_after(rest, "on")?, TableWork::Scan)])
        }
        ["create", "index", rest @ ..] | ["create", "unique", "index", rest @ ..] => {
            locks(vec![Mode::Share.on(word_after(rest, "on")?, TableWork::Scan)])
        }
        ["drop", "index", name] => locks(vec![Mode::AccessExclusive.on(&table_of_index(name)?, TableWork::Nothing)]),
        ["alter", "table", table, actions @ ..] => locks(added_columns(table, actions)?),
        ["insert", "into", table, ..] => locks(vec![Mode::RowExclusive.on(table, TableWork::Nothing)]),
        ["create", "function", ..] => locks(Vec::new()),
        _ => None,
    }
}

/// One lock for each table: the strongest, with the most work.
pub(crate) fn merge(locks: &[TableLock]) -> Vec<TableLock> {
    let mut merged: Vec<TableLock> = Vec::new();
    for lock in locks.iter().cloned() {
        match merged.iter_mut().find(|found| found.table == lock.table) {
            Some(found) => {
                let work = found.work.max(lock.work);
                let strength =
                    |lock: &TableLock| (lock.blocks_reads, lock.blocks_writes, lock.mode == Mode::Share.name());
                if strength(&lock) > strength(found) {
                    *found = lock;
                }
                found.work = work;
            }
            None => merged.push(lock),
        }
    }
    merged
}

fn on_referenced(words: &[&str]) -> Vec<TableLock> {
    let referenced = words.windows(2).filter(|pair| pair[0] == "references").map(|pair| pair[1]);
    referenced.map(|table| Mode::ShareRowExclusive.on(table, TableWork::Nothing)).collect()
}

fn added_columns(table: &str, actions: &[&str]) -> Option<Vec<TableLock>> {
    let mut locks = on_referenced(actions);
    for action in parts(actions) {
        let ["add", "column", column @ ..] = action else { return None };
        let is_computed = |pair: &[&str]| pair[0] == "default" && !is_constant(pair[1]);
        let work = if column.contains(&"generated") || column.windows(2).any(is_computed) {
            TableWork::Rewrite
        } else if column.contains(&"check") || column.contains(&"references") {
            TableWork::Scan
        } else {
            TableWork::Nothing
        };
        locks.push(Mode::AccessExclusive.on(table, work));
    }
    Some(locks)
}

/// Whether a default is stored once, instead of in every row.
fn is_constant(default: &str) -> bool {
    matches!(default, "'…'" | "true" | "false" | "null") || default.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use denizen_domain::migrations::TableWork;
    use denizen_testkit::postgres::PostgresDatabase;
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, query_as, query_scalar};

    use super::effects;
    use crate::shared::migration_sql::statements;
    use crate::shared::migrations::{describe_each, migrator};

    const TABLES: &str =
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    const LOCKS: &str = "SELECT relname::text, mode FROM pg_locks JOIN pg_class ON pg_class.oid = relation \
                         WHERE pid = pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace \
                         AND mode NOT IN ('AccessShareLock', 'RowShareLock')";

    #[tokio::test]
    async fn the_locks_of_every_migration_are_those_that_the_server_grants() {
        let database = PostgresDatabase::create().await;
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        for (migration, step) in std::iter::zip(migrator().iter(), describe_each()) {
            assert_eq!(step.unknown_statements, Vec::<String>::new(), "{}: add the kind to `effects`", step.version);
            let tables: Vec<String> = query_scalar(TABLES).fetch_all(&mut connection).await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            transaction.execute(migration.sql.clone()).await.unwrap();
            let granted: Vec<(String, String)> = query_as(LOCKS).fetch_all(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (table, mode) in granted.into_iter().filter(|(table, _)| tables.contains(table)) {
                expected.entry(table).or_default().insert(mode);
            }
            for lock in &step.locks {
                let granted = expected.remove(&lock.table).unwrap_or_default();
                let name = lock.mode.split(' ').map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase()));
                let name = format!("{}Lock", name.collect::<String>());
                assert!(granted.contains(&name), "{}: {lock:?}, granted {granted:?}", step.version);
                let has_stronger = granted.contains("AccessExclusiveLock") && name != "AccessExclusiveLock";
                assert!(!has_stronger, "{}: {lock:?}, granted {granted:?}", step.version);
            }
            assert!(expected.is_empty(), "{}: also granted {expected:?}", step.version);
        }
    }

    #[test]
    fn the_work_depends_on_the_column() {
        for (sql, work) in [
            ("ALTER TABLE t ADD COLUMN c bigint", Some(TableWork::Nothing)),
            ("ALTER TABLE t ADD COLUMN c text NOT NULL DEFAULT 'a'", Some(TableWork::Nothing)),
            ("ALTER TABLE t ADD COLUMN c text CHECK (c <> '')", Some(TableWork::Scan)),
            ("ALTER TABLE t ADD COLUMN c uuid DEFAULT gen_random_uuid()", Some(TableWork::Rewrite)),
            ("ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (1) STORED", Some(TableWork::Rewrite)),
            ("ALTER TABLE t ADD COLUMN c int, DROP COLUMN d", None),
            ("VACUUM FULL", None),
        ] {
            let words = &statements(sql)[0];
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let found = effects(&words, |_| None);
            assert_eq!(found.map(|found| found.locks[0].work), work, "{sql}");
        }
    }

    #[tokio::test]
    async fn a_check_of_a_new_column_reads_the_rows_and_a_constant_does_not() {
        let database = PostgresDatabase::create().await;
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        connection.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await.unwrap();
        for (column, is_scanned) in [("b int NOT NULL DEFAULT 1", false), ("c int DEFAULT 1 CHECK (c > 0)", true)] {
            // A scan within the transaction counts before it is reported.
            let scans = "SELECT pg_stat_get_xact_numscans('t'::regclass)";
            let mut transaction = connection.begin().await.unwrap();
            transaction.execute(AssertSqlSafe(format!("ALTER TABLE t ADD COLUMN {column}"))).await.unwrap();
            let count: i64 = query_scalar(scans).fetch_one(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(count > 0, is_scanned, "{column}");
        }
    }
}
