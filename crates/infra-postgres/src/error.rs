//! From what PostgreSQL says to what the store's caller can do about it.

use std::fmt;

use denizen_domain::store::StoreError;
use sqlx::migrate::MigrateError;

pub(crate) use crate::shared::errors::{broken, unavailable};

/// Says whether the database may recover by itself.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let is_unavailable = is_unavailable(&error);
    match PostgresError::of(&error) {
        Some(error) if is_unavailable => unavailable(error),
        Some(error) => broken(error),
        None if is_unavailable => unavailable(error),
        None => broken(error),
    }
}

/// What the server answered, with its SQLSTATE and without the line of the server's own source that sqlx adds.
#[derive(Debug)]
pub(crate) struct PostgresError {
    message: String,
    code: String,
}

impl PostgresError {
    /// The server's answer, if the error is one.
    pub(crate) fn of(error: &sqlx::Error) -> Option<Self> {
        let error = error.as_database_error()?;
        Some(Self { message: error.message().to_owned(), code: error.code().unwrap_or_default().into_owned() })
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl std::error::Error for PostgresError {}

/// The same for what went wrong while migrating.
pub(crate) fn migrate_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(error),
        _ => broken(error),
    }
}

pub(crate) fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // A server that goes down in the middle of an answer.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_recoverable(&code)),
        _ => false,
    }
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn is_recoverable(code: &str) -> bool {
    match code.get(..2) {
        // Connection lost; the role may not log in; serialization failure or deadlock; out of disk, memory or connections;
        // shutting down, starting up, or out of time; an I/O error of the server.
        Some("08" | "28" | "40" | "53" | "57" | "58") => true,
        // A standby; idle for too long; no such database (while it is restored); connections not allowed, which is also what
        // a limit of the role or the database says; a lock was not to be had.
        _ => matches!(code, "25006" | "25P02" | "25P03" | "25P04" | "3D000" | "55000" | "55P03"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_recoverable;

    #[test]
    fn what_passes_by_itself_is_unavailable() {
        for code in
            ["08006", "53300", "53100", "57P01", "57P03", "57014", "40001", "40P01", "25006", "55000", "28000", "3D000"]
        {
            assert!(is_recoverable(code), "{code}");
        }
        for code in ["23505", "42P01", "22021", "XX001", ""] {
            assert!(!is_recoverable(code), "{code}");
        }
    }
}
