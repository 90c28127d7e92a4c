//! Reads on the thread that asks.
//!
//! sqlx hands every SQLite statement to another thread, which costs some 70 µs; the statement itself takes 4.
//! The three reads on the path of every request, and the two that begin a sign-in, therefore run here, by the text
//! that sqlx has checked.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use denizen_domain::store::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, ToSql};

use crate::error::unavailable;
use crate::{BUSY_TIMEOUT_S, READER_CACHE_KIB};

/// The most connections; a read that finds them all taken goes through the pool.
const CONNECTIONS_MAX: usize = 8;

/// It could not be done here, for whatever reason: the pool then waits, tries again and reports.
pub(crate) struct NotInPlace;

/// A row that can be read here: its fields are the columns, in their order.
pub(crate) trait InPlaceRow: Sized {
    /// Reads it.
    fn read_in_place(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// A few read-only connections that never wait.
pub(crate) struct InPlaceReaders {
    connections: Vec<Mutex<Option<Connection>>>,
}

impl InPlaceReaders {
    /// Opens a connection per core, within bounds.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let connect = |_| connect(path).map(|connection| Mutex::new(Some(connection))).map_err(unavailable);
        let connections = (0..cores.clamp(2, CONNECTIONS_MAX)).map(connect).collect::<Result<_, _>>()?;
        Ok(Self { connections })
    }

    /// Looks one row up by its key.
    pub(crate) fn find<T>(
        &self,
        sql: &'static str,
        key: &dyn ToSql,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, NotInPlace> {
        let guard = self.free().ok_or(NotInPlace)?;
        let connection = guard.as_ref().ok_or(NotInPlace)?;
        let mut statement = connection.prepare_cached(sql).map_err(|_| NotInPlace)?;
        statement.query_row([key], read).optional().map_err(|_| NotInPlace)
    }

    /// Closes every connection.
    pub(crate) fn close(&self) {
        for connection in &self.connections {
            drop(connection.lock().map(|mut connection| connection.take()));
        }
    }

    fn free(&self) -> Option<MutexGuard<'_, Option<Connection>>> {
        self.connections.iter().find_map(|connection| match connection.try_lock() {
            Ok(guard) => Some(guard),
            // A statement is reset when it is dropped, in a panic too: the connection is still good.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        })
    }
}

impl fmt::Debug for InPlaceReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InPlaceReaders").field("connections", &self.connections.len()).finish()
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Not SQLITE_OPEN_READ_ONLY: a reader must be able to recover the write-ahead log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // A process that is just closing the file holds it for a moment.
    connection.busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))?;
    connection.pragma_update(None, "query_only", "on")?;
    connection.pragma_update(None, "cache_size", -i64::from(READER_CACHE_KIB))?;
    // From now on the thread is not ours to wait on.
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::{InPlaceReaders, InPlaceRow, NotInPlace};
    use crate::shared::api_keys::ApiKeyStateRow;
    use crate::shared::sessions::SessionStateRow;
    use crate::shared::users::UserRow;
    use crate::{SqliteOptions, SqliteStore, migrate};
    use denizen_domain::access::Subject;
    use denizen_domain::store::Store;
    use denizen_testkit::build;
    use tempfile::TempDir;
    use uuid::Uuid;

    const FIND_USER: &str = include_str!("../../store-shared/queries/find_user.sql");
    const SESSION_STATE: &str = include_str!("../queries/session_state.sql");
    const API_KEY_STATE: &str = include_str!("../../store-shared/queries/api_key_state.sql");

    /// Whether the read was done in place and found something.
    fn outcome<T>(found: Result<Option<T>, NotInPlace>) -> Option<bool> {
        found.ok().map(|row| row.is_some())
    }

    // The pool answers whatever fails here, so nothing but time would tell.
    #[tokio::test]
    async fn all_three_reads_are_done_in_place_until_all_are_taken() {
        let folder = TempDir::new().unwrap();
        let options = SqliteOptions::new(folder.path().join("denizen.db"));
        migrate(&options).await.unwrap();
        let store = SqliteStore::open(&options).unwrap();
        let (user, session) = (build::user(1), build::session(&build::user(1), 1));
        let key = build::api_key(Subject::User(user.id), 1);
        let mut tx = store.write().await.unwrap();
        tx.insert_user(&user).await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.insert_api_key(&key, &[7; 32]).await.unwrap();
        tx.commit().await.unwrap();

        let readers = InPlaceReaders::open(&options.path).unwrap();
        let find_user = |id: Uuid| outcome(readers.find(FIND_USER, &id.as_bytes().as_slice(), UserRow::read_in_place));
        let find_session =
            |id: Uuid| outcome(readers.find(SESSION_STATE, &id.as_bytes().as_slice(), SessionStateRow::read_in_place));
        let find_key =
            |id: Uuid| outcome(readers.find(API_KEY_STATE, &id.as_bytes().as_slice(), ApiKeyStateRow::read_in_place));
        assert_eq!(find_key(key.id.as_uuid()), Some(true));
        assert_eq!(find_key(user.id.as_uuid()), Some(false));
        assert_eq!(find_user(user.id.as_uuid()), Some(true));
        assert_eq!(find_user(session.id.as_uuid()), Some(false));
        assert_eq!(find_session(session.id.as_uuid()), Some(true));
        assert_eq!(find_session(user.id.as_uuid()), Some(false));

        let taken: Vec<_> = std::iter::from_fn(|| readers.free()).collect();
        assert!(taken.len() >= 2);
        assert_eq!(find_user(user.id.as_uuid()), None);
        drop(taken);
        assert_eq!(find_user(user.id.as_uuid()), Some(true));
        readers.close();
        assert_eq!(find_user(user.id.as_uuid()), None);
    }
}
