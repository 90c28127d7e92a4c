//! Rows as a database stores them: for backups, and to move everything to another database.
//!
//! Both databases have the same tables with the same columns. Only the types differ, and every one of them fits a [`Cell`]:
//! identifiers are bytes, truth values are 0 and 1, times are microseconds since 1970.

use std::fmt;

use async_trait::async_trait;

use crate::store::StoreError;

/// One value of a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// `NULL`.
    Null,
    /// A number, a truth value or a time.
    Integer(i64),
    /// Text.
    Text(String),
    /// An identifier, a hash, or something encrypted.
    Bytes(Vec<u8>),
}

impl fmt::Debug for Cell {
    /// Never shows text or bytes: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(_) => f.write_str("[text]"),
            Self::Bytes(_) => f.write_str("[bytes]"),
        }
    }
}

/// The values of a row, in the order of [`Table::columns`].
pub type Row = Vec<Cell>;

/// What the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Accounts and what belongs to them. Rows are added, changed and deleted.
    Accounts,
    /// The event log. Rows are added behind the last one, and deleted from the front. They change only when personal data is
    /// erased from them.
    Log,
    /// What expires within a day: rate limits, challenges, links, idempotency keys, queued mail. A backup leaves it out, a
    /// move to another database takes it along.
    Transient,
}

/// All tables, each behind those that its rows refer to. What a database derives from other tables is not among them.
pub const TABLES: [(&str, Content); 29] = [
    ("root_keys", Content::Accounts),
    ("signing_keys", Content::Accounts),
    ("roles", Content::Accounts),
    ("providers", Content::Accounts),
    ("users", Content::Accounts),
    ("passwords", Content::Accounts),
    ("totp_factors", Content::Accounts),
    ("recovery_codes", Content::Accounts),
    ("passkeys", Content::Accounts),
    ("identities", Content::Accounts),
    ("identity_tokens", Content::Accounts),
    ("sessions", Content::Accounts),
    ("service_accounts", Content::Accounts),
    ("api_keys", Content::Accounts),
    ("webhooks", Content::Accounts),
    ("deliveries", Content::Accounts),
    ("webhook_cursor", Content::Accounts),
    ("events", Content::Log),
    ("event_log", Content::Accounts),
    ("one_time_tokens", Content::Transient),
    ("challenges", Content::Transient),
    ("outbox", Content::Transient),
    ("budgets", Content::Transient),
    ("event_tickets", Content::Transient),
    ("idempotency_keys", Content::Transient),
    ("identity_token_drafts", Content::Transient),
    ("setup_links", Content::Transient),
    ("traces", Content::Transient),
    ("used_flows", Content::Transient),
];

/// A table of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What its rows are.
    pub content: Content,
    /// The columns of the primary key, then the others by name.
    pub columns: Vec<String>,
    /// How many columns the primary key has; at least 1.
    pub key_len: usize,
}

impl Table {
    /// A table of [`TABLES`]; `None` if there is none with this name.
    #[must_use]
    pub fn new(name: &str, mut key: Vec<String>, mut others: Vec<String>) -> Option<Self> {
        let (name, content) = TABLES.iter().find(|(known, _)| *known == name)?;
        others.sort_unstable();
        let key_len = key.len();
        key.append(&mut others);
        Some(Self { name: (*name).to_owned(), content: *content, columns: key, key_len })
    }

    /// The primary key of a row.
    #[must_use]
    pub fn key<'a>(&self, row: &'a [Cell]) -> &'a [Cell] {
        row.get(..self.key_len).unwrap_or(row)
    }

    /// The index of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// Whether rows were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "rows that were not written must be written again"]
pub enum Put {
    /// They were.
    Written,
    /// Another row has a unique value of one of them, such as an email address that moved from one user to another. None is
    /// there now; they can be written after the other row was.
    Conflict,
}

/// Reads all rows of a database, as of one moment.
#[async_trait]
pub trait RowReader: Send {
    /// The tables that the database has, in the order of [`TABLES`].
    fn tables(&self) -> &[Table];

    /// The version of the last migration that was applied.
    fn schema_version(&self) -> i64;

    /// How many rows a table has.
    async fn count(&mut self, table: &Table) -> Result<u64, StoreError>;

    /// The rows behind a key in the order of keys, at most so many. Numbers sort by value, text and bytes by their bytes.
    async fn rows_after(&mut self, table: &Table, key: Option<&[Cell]>, limit: u32) -> Result<Vec<Row>, StoreError>;

    /// The key of the last row of a table.
    async fn last_key(&mut self, table: &Table) -> Result<Option<Row>, StoreError>;
}

/// Writes rows in one transaction. Dropped without [`RowWriter::commit`], it leaves nothing behind.
#[async_trait]
pub trait RowWriter: Send {
    /// Adds rows, or replaces those with the same key.
    async fn put(&mut self, table: &Table, rows: Vec<Row>) -> Result<Put, StoreError>;

    /// Deletes rows by their keys, and the rows that refer to them.
    async fn delete(&mut self, table: &Table, keys: Vec<Row>) -> Result<(), StoreError>;

    /// Deletes all rows of all tables.
    async fn clear(&mut self) -> Result<(), StoreError>;

    /// Ends the transaction. Its rows are on disk when this returns.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Keeps everybody from writing to a database until it is dropped.
#[async_trait]
pub trait WriteLock: Send {
    /// Checks that the lock is still held: a connection to a server can be lost.
    ///
    /// # Errors
    /// When it is not.
    async fn check(&mut self) -> Result<(), StoreError>;
}

/// Checks that a database of this release has all tables of [`TABLES`].
///
/// # Errors
/// Names the first one that is missing, or that the role may not read.
pub fn require_all(tables: &[Table]) -> Result<(), StoreError> {
    let is_missing = |name: &&str| !tables.iter().any(|table| table.name == *name);
    match TABLES.iter().map(|(name, _)| *name).find(is_missing) {
        Some(name) => Err(StoreError::Broken(format!("table {name} is missing, or the role may not read it").into())),
        None => Ok(()),
    }
}
