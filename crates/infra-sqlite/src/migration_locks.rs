//! The locks that the statements of migrations take: that of the writer, which is one for the whole file. In WAL mode, readers
//! are not blocked (<https://www.sqlite.org/wal.html#concurrency>).

use denizen_domain::migrations::{TableLock, TableWork};

use crate::shared::migration_sql::{parts, word_after};
use crate::shared::migrations::Effects;

const WRITE: &str = "WRITE";

/// The effects of a statement, if it is of a known kind. Rows are read by `CREATE INDEX`, and by `ALTER TABLE … ADD COLUMN` with
/// `CHECK` (<https://www.sqlite.org/lang_altertable.html>).
pub(crate) fn effects(words: &[&str], _table_of_index: impl Fn(&str) -> Option<String>) -> Option<Effects> {
    let lock = |table: &str, work| {
        let (table, mode) = (table.to_owned(), WRITE);
        Some(Effects {
            locks: vec![TableLock { table, mode, blocks_reads: false, blocks_writes: true, work }],
            created: None,
        })
    };
    match words {
        ["create", "table", table, ..] => Some(Effects { locks: Vec::new(), created: Some((*table).to_owned()) }),
        ["create", "index", rest @ ..] | ["create", "unique", "index", rest @ ..] => {
            lock(word_after(rest, "on")?, TableWork::Scan)
        }
        ["alter", "table", table, actions @ ..] => {
            let [action] = parts(actions)[..] else { return None };
            let ["add", "column", column @ ..] = action else { return None };
            lock(table, if column.contains(&"check") { TableWork::Scan } else { TableWork::Nothing })
        }
        ["insert", "into", table, ..] => lock(table, TableWork::Nothing),
        ["drop", "index", ..] | ["create", "trigger", ..] | ["select", "1"] => {
            Some(Effects { locks: Vec::new(), created: None })
        }
        _ => None,
    }
}

/// The lock of the writer, with the most work of any statement.
pub(crate) fn merge(locks: &[TableLock]) -> Vec<TableLock> {
    let work = locks.iter().map(|lock| lock.work).max().unwrap_or(TableWork::Nothing);
    vec![TableLock { table: "*".to_owned(), mode: WRITE, blocks_reads: false, blocks_writes: true, work }]
}

#[cfg(test)]
mod tests {
    use crate::shared::migrations::describe_each;

    #[test]
    fn every_migration_takes_the_lock_of_the_writer_and_none_is_unknown() {
        for step in describe_each() {
            assert_eq!(step.unknown_statements, Vec::<String>::new(), "{}: add the kind to `effects`", step.version);
            let [lock] = &step.locks[..] else { panic!("{step:?}") };
            assert!(lock.table == "*" && lock.blocks_writes && !lock.blocks_reads, "{step:?}");
        }
    }
}
