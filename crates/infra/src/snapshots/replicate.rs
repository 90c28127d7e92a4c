//! Makes one database equal to another: row by row in the order of keys, so that equal rows cost a comparison only.
//!
//! A run that breaks off leaves a part of the differences; the next one finds the rest. Run while the source is written to,
//! it reaches the state of the moment when it began.

use std::cmp::Ordering;
use std::collections::VecDeque;

use denizen_domain::rows::{Content, Put, Row, RowReader, RowWriter, Table, require_all};
use denizen_domain::store::StoreError;

use super::{OnProgress, ROWS_AT_ONCE};
use crate::stores::StoreOptions;

/// How many changed rows are committed at once.
const ROWS_PER_COMMIT: u64 = 100_000;

/// What a run found and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows that were compared.
    pub compared: u64,
    /// Rows that were missing or different.
    pub put: u64,
    /// Rows that were too many.
    pub deleted: u64,
    /// Rows that another row of the target stands in the way of: the next run writes them.
    pub conflicts: u64,
}

impl Difference {
    /// Whether both databases were equal.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.put == 0 && self.deleted == 0 && self.conflicts == 0
    }
}

/// Which rows of the event log are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRows {
    /// Those behind the last row of the target. Rows before it change only when personal data is erased from them.
    New,
    /// All of them.
    All,
}

/// Makes `target` equal to what `source` reads.
///
/// # Errors
/// When one of the databases fails, or has tables that the other one has not.
pub async fn replicate(
    source: &mut dyn RowReader,
    target: &StoreOptions,
    log: LogRows,
    on_progress: OnProgress<'_>,
) -> Result<Difference, StoreError> {
    let mut seen = target.row_reader(None).await?;
    require_all(source.tables())?;
    if source.tables() != seen.tables() {
        return Err(StoreError::Broken("the databases have different schemas: migrate both with this release".into()));
    }
    let mut changes = Changes { options: target, writer: None, uncommitted: 0, difference: Difference::default() };
    for table in source.tables().to_vec() {
        replicate_table(source, &mut *seen, &table, log, &mut changes, on_progress).await?;
        // Rows that refer to those which are not written yet cannot be written either: the next run goes on here.
        if changes.difference.conflicts > 0 {
            break;
        }
    }
    changes.commit().await?;
    Ok(changes.difference)
}

async fn replicate_table(
    source: &mut dyn RowReader,
    target: &mut dyn RowReader,
    table: &Table,
    log: LogRows,
    changes: &mut Changes<'_>,
    on_progress: OnProgress<'_>,
) -> Result<(), StoreError> {
    let mut start = None;
    if table.content == Content::Log && log == LogRows::New {
        start = target.last_key(table).await?;
        remove_purged(source, target, table, changes).await?;
    }
    let mut ours = Side::new(source, table, start.clone());
    let mut theirs = Side::new(target, table, start);
    loop {
        // Both databases work at once.
        let (filled, also) = tokio::join!(ours.fill(), theirs.fill());
        filled.and(also)?;
        if ours.rows.is_empty() && theirs.rows.is_empty() {
            return Ok(());
        }
        let found = compare(table, &mut ours, &mut theirs);
        changes.difference.compared += found.compared;
        changes.write(table, found.missing, found.extra).await?;
        on_progress(changes.difference.compared);
    }
}

/// Deletes the beginning of the log that the source has no longer.
async fn remove_purged(
    source: &mut dyn RowReader,
    target: &mut dyn RowReader,
    table: &Table,
    changes: &mut Changes<'_>,
) -> Result<(), StoreError> {
    let first = source.rows_after(table, None, 1).await?.pop();
    let is_purged = |row: &Row| first.as_ref().is_none_or(|first| table.key(row) < table.key(first));
    let mut last: Option<Row> = None;
    loop {
        let rows = target.rows_after(table, last.as_deref(), ROWS_AT_ONCE).await?;
        let purged: Vec<Row> =
            rows.iter().take_while(|row| is_purged(row)).map(|row| table.key(row).to_vec()).collect();
        let Some(key) = purged.last() else { return Ok(()) };
        last = Some(key.clone());
        changes.write(table, Vec::new(), purged).await?;
    }
}

/// The rows of a table in one of the databases, as they are read.
struct Side<'a> {
    reader: &'a mut dyn RowReader,
    table: &'a Table,
    rows: VecDeque<Row>,
    last: Option<Row>,
    is_at_end: bool,
}

impl<'a> Side<'a> {
    fn new(reader: &'a mut dyn RowReader, table: &'a Table, last: Option<Row>) -> Self {
        Self { reader, table, rows: VecDeque::new(), last, is_at_end: false }
    }

    async fn fill(&mut self) -> Result<(), StoreError> {
        if !self.rows.is_empty() || self.is_at_end {
            return Ok(());
        }
        let rows = self.reader.rows_after(self.table, self.last.as_deref(), ROWS_AT_ONCE).await?;
        self.is_at_end = rows.len() < ROWS_AT_ONCE as usize;
        self.last = rows.last().map(|row| self.table.key(row).to_vec());
        self.rows = rows.into();
        Ok(())
    }
}

/// What a comparison found.
#[derive(Default)]
struct Found {
    compared: u64,
    /// Rows that the target must have.
    missing: Vec<Row>,
    /// The keys of rows that it must not have.
    extra: Vec<Row>,
}

/// Compares the rows of both sides, until more of one side must be read.
fn compare(table: &Table, ours: &mut Side<'_>, theirs: &mut Side<'_>) -> Found {
    let mut found = Found::default();
    loop {
        let order = match (ours.rows.front(), theirs.rows.front()) {
            (Some(row), Some(other)) => table.key(row).cmp(table.key(other)),
            (Some(_), None) if theirs.is_at_end => Ordering::Less,
            (None, Some(_)) if ours.is_at_end => Ordering::Greater,
            _ => return found,
        };
        let row = if order.is_le() { ours.rows.pop_front() } else { None };
        let other = if order.is_ge() { theirs.rows.pop_front() } else { None };
        match (row, other) {
            (Some(row), other) => {
                found.compared += 1;
                if Some(&row) != other.as_ref() {
                    found.missing.push(row);
                }
            }
            (None, Some(other)) => found.extra.push(table.key(&other).to_vec()),
            (None, None) => return found,
        }
    }
}

/// Writes to the target, in transactions of a bounded size.
struct Changes<'a> {
    options: &'a StoreOptions,
    writer: Option<Box<dyn RowWriter>>,
    uncommitted: u64,
    difference: Difference,
}

impl Changes<'_> {
    async fn write(&mut self, table: &Table, missing: Vec<Row>, extra: Vec<Row>) -> Result<(), StoreError> {
        if missing.is_empty() && extra.is_empty() {
            return Ok(());
        }
        let (put, deleted) = (missing.len() as u64, extra.len() as u64);
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(self.options.row_writer().await?),
        };
        // First: a value that must be unique may move from a deleted row to another one.
        if !extra.is_empty() {
            writer.delete(table, extra).await?;
        }
        if !missing.is_empty() {
            match writer.put(table, missing).await? {
                Put::Written => self.difference.put += put,
                Put::Conflict => self.difference.conflicts += put,
            }
        }
        self.difference.deleted += deleted;
        self.uncommitted += put + deleted;
        if self.uncommitted >= ROWS_PER_COMMIT { self.commit().await } else { Ok(()) }
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.uncommitted = 0;
        match self.writer.take() {
            Some(writer) => writer.commit().await,
            None => Ok(()),
        }
    }
}
