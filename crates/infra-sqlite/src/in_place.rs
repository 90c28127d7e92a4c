//! Look-ups on the thread that asks: they take a few microseconds, a hop to another thread takes more.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use denizen_domain::store::StoreError;
use rusqlite::{Connection, ToSql};

use crate::connection;
use crate::error::unavailable;
use crate::statement::{FromRow, Statement};

/// The most connections; a read that finds them all taken goes to the [readers](crate::readers).
const CONNECTIONS_MAX: usize = 8;

/// It could not be done here, for whatever reason: a reader on a blocking thread waits, tries again and reports.
pub(crate) struct NotInPlace;

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

    /// Looks one row up.
    pub(crate) fn find<R: FromRow>(
        &self,
        statement: &Statement,
        values: &[impl ToSql],
    ) -> Result<Option<R>, NotInPlace> {
        let guard = self.free().ok_or(NotInPlace)?;
        let connection = guard.as_ref().ok_or(NotInPlace)?;
        statement.first(connection, values).map_err(|_| NotInPlace)
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

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connection::reader(path)?;
    // From now on the thread is not ours to wait on.
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::{InPlaceReaders, NotInPlace};
    use crate::shared::api_keys::ApiKeyStateRow;
    use crate::shared::sessions::SessionStateRow;
    use crate::shared::users::UserRow;
    use crate::sql::statement;
    use crate::{SqliteOptions, SqliteStore, migrate};
    use denizen_domain::access::Subject;
    use denizen_domain::store::Store;
    use denizen_testkit::build;
    use tempfile::TempDir;
    use uuid::Uuid;

    /// Whether the read was done in place and found something.
    fn outcome<T>(found: Result<Option<T>, NotInPlace>) -> Option<bool> {
        found.ok().map(|row| row.is_some())
    }

    // A blocking thread answers whatever fails here, so nothing but time would tell.
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
        let user_by_id = statement!("../store-shared/queries/find_user.sql");
        let session_state = statement!("queries/session_state.sql");
        let key_state = statement!("../store-shared/queries/api_key_state.sql");
        let find_user = |id: Uuid| outcome(readers.find::<UserRow>(user_by_id, &[id]));
        let find_session = |id: Uuid| outcome(readers.find::<SessionStateRow>(session_state, &[id]));
        let find_key = |id: Uuid| outcome(readers.find::<ApiKeyStateRow>(key_state, &[id]));
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
