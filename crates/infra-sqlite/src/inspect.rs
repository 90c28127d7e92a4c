//! What the file says about itself, for diagnosis.

use std::path::Path;

use denizen_domain::ports::Clock;
use denizen_domain::store::StoreError;
use rusqlite::Connection;

use crate::connection;
use crate::error::store_error;

/// How often a read is measured; the shortest one counts.
const ROUNDS: u32 = 5;

/// What a database file says about itself.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The version of SQLite.
    pub version: &'static str,
    /// The journal mode: `wal`, unless no server has used the file yet.
    pub journal_mode: String,
    /// The size of the database, in bytes.
    pub bytes: u64,
    /// How long a read takes, in microseconds.
    pub latency_us: i64,
}

/// Asks a file that exists about itself. Changes nothing.
///
/// # Errors
/// When the file cannot be read, or is not a database.
pub fn inspect(path: &Path, clock: &dyn Clock) -> Result<Inspection, StoreError> {
    let connection = connection::reader(path).map_err(store_error)?;
    let mut latency_us = i64::MAX;
    for _ in 0..ROUNDS {
        let begun = clock.now();
        read::<i64>(&connection, "schema_version")?;
        latency_us = latency_us.min(clock.now().as_micros() - begun.as_micros());
    }
    let pages: i64 = read(&connection, "page_count")?;
    let page_bytes: i64 = read(&connection, "page_size")?;
    let journal_mode = read(&connection, "journal_mode")?;
    let bytes = u64::try_from(pages.saturating_mul(page_bytes)).unwrap_or_default();
    Ok(Inspection { version: rusqlite::version(), journal_mode, bytes, latency_us })
}

fn read<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> Result<T, StoreError> {
    connection.pragma_query_value(None, name, |row| row.get(0)).map_err(store_error)
}

#[cfg(test)]
mod tests {
    use denizen_domain::time::Timestamp;
    use denizen_testkit::FakeClock;

    use super::inspect;
    use crate::{SqliteOptions, migrate};

    #[tokio::test]
    async fn a_file_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let clock = FakeClock::at(Timestamp::from_micros(0));
        assert!(inspect(&path, &clock).is_err());
        assert!(!path.exists(), "nothing is created");
        migrate(&SqliteOptions::new(&path)).await.unwrap();
        let found = inspect(&path, &clock).unwrap();
        assert_eq!(found.journal_mode, "wal");
        assert!(found.version.starts_with("3.") && found.bytes > 100_000, "{found:?}");
        std::fs::write(&path, "this is not a database, and longer than its header would be".repeat(99)).unwrap();
        assert!(inspect(&path, &clock).is_err());
    }
}
