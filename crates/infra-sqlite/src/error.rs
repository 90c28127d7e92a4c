//! From what SQLite says to what the store's caller can do about it.

use denizen_domain::store::StoreError;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use sqlx::migrate::MigrateError;

pub(crate) use crate::shared::errors::{broken, unavailable};

// https://www.sqlite.org/rescode.html
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;

/// Why the store refuses by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// All are in use for too long.
    #[error("no connection to the database became free in time")]
    TimedOut,
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// A write that was committed together with others, whose transaction failed.
    #[error("the shared transaction of this write failed: {0}")]
    Together(String),
}

/// Says whether the database may recover by itself.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    if code.is_some_and(is_recoverable) { unavailable(error) } else { broken(error) }
}

/// Whether a unique constraint refused a change.
pub(crate) fn is_taken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY))
}

/// Whether another process holds the lock.
pub(crate) fn is_locked(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| primary(error.extended_code));
    matches!(code, Some(BUSY | LOCKED))
}

/// Whether writes fail for a reason that the next write would meet as well. A lock that another process holds, or a long
/// queue for the connection, is none.
pub(crate) fn is_write_failure(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    if source.is::<Refusal>() {
        return false;
    }
    !source.downcast_ref::<rusqlite::Error>().is_some_and(is_locked)
}

/// The same for what sqlx says while migrating.
pub(crate) fn sqlx_error(error: sqlx::Error) -> StoreError {
    if is_unavailable(&error) { unavailable(error) } else { broken(error) }
}

/// The same for a migration.
pub(crate) fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => sqlx_error(error),
        MigrateError::ExecuteMigration(ref source, _) if is_unavailable(source) => unavailable(error),
        _ => broken(error),
    }
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse().ok()).is_some_and(is_recoverable),
        _ => false,
    }
}

/// The primary result code is the low byte of the extended one.
fn primary(extended_code: i32) -> i32 {
    extended_code & 0xFF
}

fn is_recoverable(code: i32) -> bool {
    matches!(primary(code), BUSY | LOCKED | READONLY | IOERR | FULL | CANTOPEN | PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::is_recoverable;

    #[test]
    fn extended_codes_count_as_their_primary_one() {
        assert!(is_recoverable(5), "SQLITE_BUSY");
        assert!(is_recoverable(517), "SQLITE_BUSY_SNAPSHOT");
        assert!(is_recoverable(13), "SQLITE_FULL");
        assert!(is_recoverable(1034), "SQLITE_IOERR_FSYNC");
        assert!(is_recoverable(8), "SQLITE_READONLY");
        assert!(!is_recoverable(11), "SQLITE_CORRUPT");
        assert!(!is_recoverable(2067), "SQLITE_CONSTRAINT_UNIQUE");
    }
}
