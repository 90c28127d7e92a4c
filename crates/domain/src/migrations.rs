//! What a store says about migrations that are not applied yet.

/// A migration that a database lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its number, which determines the order.
    pub version: i64,
    /// What it does.
    pub description: String,
    /// The locks that it takes on existing tables, until it is complete. Tables that it or an earlier pending migration creates
    /// are not in use.
    pub locks: Vec<TableLock>,
    /// Statements whose locks are not known.
    pub unknown_statements: Vec<String>,
}

/// A lock on a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableLock {
    /// The name of the table; `*` for the whole database.
    pub table: String,
    /// The mode, as the database calls it.
    pub mode: &'static str,
    /// Whether other transactions cannot read the table meanwhile.
    pub blocks_reads: bool,
    /// Whether other transactions cannot change the table meanwhile.
    pub blocks_writes: bool,
    /// What is done with the existing rows, which determines how long it takes.
    pub work: TableWork,
}

/// What is done with the existing rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableWork {
    /// Nothing: the duration does not depend on their number.
    Nothing,
    /// All are read.
    Scan,
    /// All are written.
    Rewrite,
}
