//! From what SQLite says to what the store's caller can do about it.

use denizen_domain::store::StoreError;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

// https://www.sqlite.org/rescode.html
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const CONSTRAINT: i32 = 19;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;

/// Says whether the database may recover by itself.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    if is_unavailable(&error) { unavailable(error) } else { broken(error) }
}

/// The same for a commit that failed. Nothing of the transaction is left then, unless a constraint was checked so late:
/// SQLite rolls a transaction back by itself after an I/O error, and says in the end only that there is none.
pub(crate) fn commit_error(error: sqlx::Error) -> StoreError {
    let is_constraint = error.as_database_error().is_some_and(|error| primary_code(error) == Some(CONSTRAINT));
    if is_constraint { broken(error) } else { unavailable(error) }
}

/// Whether writes fail for a reason that the next write would meet as well. A lock that another process holds, or a long
/// queue for the connection, is none.
pub(crate) fn is_write_failure(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    match source.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => false,
        Some(sqlx::Error::Database(error)) => !matches!(primary_code(error.as_ref()), Some(BUSY | LOCKED)),
        _ => true,
    }
}

/// The same for what went wrong while migrating.
pub(crate) fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => store_error(error),
        MigrateError::ExecuteMigration(ref source, _) if is_unavailable(source) => unavailable(error),
        _ => broken(error),
    }
}

/// The same for what rusqlite says.
pub(crate) fn in_place_error(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    if code.is_some_and(is_recoverable) { unavailable(error) } else { broken(error) }
}

/// The database is not there or cannot work.
pub(crate) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// The database answered what cannot be.
pub(crate) fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Broken(error.into())
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        // A transaction that did not end stands in the way of the next one. Its connection is replaced.
        | sqlx::Error::BeginFailed
        | sqlx::Error::InvalidSavePointStatement => true,
        sqlx::Error::Database(error) => primary_code(error.as_ref()).is_some_and(is_recoverable),
        _ => false,
    }
}

fn primary_code(error: &dyn DatabaseError) -> Option<i32> {
    error.code().and_then(|code| code.parse().ok()).map(primary)
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
