//! Connections to the file, by rusqlite.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Result};

/// How long a connection waits for a lock that another process holds, where its thread may wait.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What a reader caches at most, in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;
/// What the writer caches at most, in KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// What is left of the write-ahead log after a checkpoint, in bytes at most.
const JOURNAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// How many statements a connection keeps prepared; the store has fewer.
const STATEMENTS_MAX: usize = 256;

/// A connection that writes. Its thread may wait while this runs, but no longer than that.
pub(crate) fn writer(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // Savepoints keep the pages that they change there.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// A connection that reads.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    let connection = open(path)?;
    connection.pragma_update(None, "query_only", "on")?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

fn open(path: &Path) -> Result<Connection> {
    // Readers too: one must be able to recover the write-ahead log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // A process that is just closing the file holds it for a moment.
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}
