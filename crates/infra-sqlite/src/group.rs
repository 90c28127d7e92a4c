//! Small writes that many ask for at once, committed together.
//!
//! A commit waits for the disk, and sqlx hands each statement to another thread: alone, a refresh takes five hops and
//! a commit. Here what waits is taken together, done one after the other on one thread, and committed once; each asker
//! hears of it after the commit. One that fails undoes itself and nobody else.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use denizen_domain::store::StoreError;
use rusqlite::{Connection, OpenFlags, Row, Statement, ToSql};
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{in_place_error, store_error, unavailable};
use crate::file_identity::FileIdentity;
use crate::recent::Recent;
use crate::write_health::WriteHealth;
use crate::{BUSY_TIMEOUT_S, WRITER_CACHE_KIB};

/// How many are committed together at most.
const BATCH_MAX: usize = 128;
/// How many may wait; whoever comes then waits to wait.
const QUEUE_MAX: usize = 1_024;

const PARAMETERS: [&str; 13] = ["$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13"];

/// Takes small writes and commits them together.
pub(crate) struct GroupWriter {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Does one asker's work and returns how to tell them, once it is known whether the commit held.
type Job = Box<dyn FnOnce(&Connection) -> Option<Tell> + Send>;
type Tell = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Where a group writes, and what its writes concern.
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    /// The pool with the one writing connection, on which the groups take their turns.
    pub(crate) writer: SqlitePool,
    pub(crate) recent: Arc<Recent>,
    pub(crate) health: Arc<WriteHealth>,
    pub(crate) identity: Arc<FileIdentity>,
}

impl GroupWriter {
    /// A writer for this file. Call it within a tokio runtime.
    pub(crate) fn new(target: Target) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let task = tokio::spawn(serve(queue, target));
        Self { jobs: Mutex::new(Some(jobs)), task: Mutex::new(Some(task)) }
    }

    /// Does the work within a transaction and returns when it is on disk. Work whose asker has left is not begun.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (told, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            if told.is_closed() {
                return None;
            }
            let done = in_savepoint(connection, work);
            Some(Box::new(move |committed: Result<(), StoreError>| {
                let outcome = committed.and_then(|()| done.map_err(in_place_error));
                // Whoever left meanwhile is not told.
                let _ = told.send(outcome);
            }))
        });
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || unavailable("the store is closed");
        jobs.ok_or_else(closed)?.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| unavailable("the write was given up"))?
    }

    /// Finishes what waits and takes no more.
    pub(crate) async fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

async fn serve(mut queue: mpsc::Receiver<Job>, target: Target) {
    let Target { path, writer, recent, health, identity } = target;
    let mut connection = None;
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
        // While it is held, nobody else of this process writes.
        let turn = match identity.check() {
            Ok(()) => writer.acquire().await.map_err(store_error),
            Err(error) => Err(error),
        };
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => {
                health.note_error(&error);
                tracing::debug!(%error, waiting = batch.len(), "no turn to write");
                // Dropped, they answer that they were given up.
                batch.clear();
                continue;
            }
        };
        let (jobs, path, recent) = (std::mem::take(&mut batch), path.clone(), Arc::clone(&recent));
        let kept = connection.take();
        let done = tokio::task::spawn_blocking(move || commit_together(kept, &path, jobs, &recent)).await;
        connection = done.unwrap_or_default();
        if connection.is_none() {
            health.note_failure();
        }
        drop(turn);
        batch.reserve(BATCH_MAX);
    }
}

/// Does every job in one transaction and tells how it went. Returns the connection if it is still good.
fn commit_together(
    kept: Option<Connection>,
    path: &std::path::Path,
    jobs: Vec<Job>,
    recent: &Recent,
) -> Option<Connection> {
    let begun = kept.map_or_else(|| connect(path), Ok).and_then(|connection| {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(connection)
    });
    let connection = match begun {
        Ok(connection) => connection,
        Err(error) => {
            // They have done nothing; dropped, they answer that they were given up.
            tracing::warn!(%error, "a group of writes could not begin");
            return None;
        }
    };
    let mut tells: Vec<Tell> = Vec::with_capacity(jobs.len());
    for job in jobs {
        tells.extend(job(&connection));
        if connection.is_autocommit() {
            // SQLite gave the whole transaction up by itself: a full disk, a failed read. Nothing of it is left.
            break;
        }
    }
    // Fails when there is no transaction any more.
    let committed = connection.execute_batch("COMMIT");
    recent.forget();
    let is_good = committed.is_ok();
    let message = committed.err().map(|error| error.to_string());
    for tell in tells {
        tell(message.as_ref().map_or(Ok(()), |message| Err(unavailable(message.clone()))));
    }
    // After a failed commit the transaction may be open still; closing the connection ends it.
    is_good.then_some(connection)
}

/// Executes a statement by the text that sqlx has checked.
pub(crate) fn execute(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    statement.raw_execute()
}

/// Reads what a statement returns, by the text that sqlx has checked.
pub(crate) fn fetch_all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    statement.raw_query().mapped(read).collect()
}

/// To SQLite `$1` is a name like any other, numbered by where it comes up first.
fn bind(statement: &mut Statement<'_>, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
    for (name, value) in PARAMETERS.iter().zip(values) {
        if let Some(at) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(at, value)?;
        }
    }
    Ok(())
}

/// Does the work so that, if it fails, nothing of it is left.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("SAVEPOINT one")?.execute([])?;
    let done = work(connection);
    let undone = if done.is_err() { connection.prepare_cached("ROLLBACK TO one")?.execute([]) } else { Ok(0) };
    let ended = undone.and_then(|_| connection.prepare_cached("RELEASE one")?.execute([]));
    if ended.is_err() {
        // Half of it may be left: then nothing of the group may be kept.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn connect(path: &std::path::Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(BUSY_TIMEOUT_S))?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -i64::from(WRITER_CACHE_KIB))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use denizen_domain::store::{Store, StoreError};
    use tempfile::TempDir;

    use crate::{SqliteOptions, SqliteStore, migrate};

    async fn store() -> (TempDir, SqliteStore) {
        let folder = TempDir::new().unwrap();
        let options = SqliteOptions::new(folder.path().join("denizen.db"));
        migrate(&options).await.unwrap();
        let store = SqliteStore::open(&options).unwrap();
        (folder, store)
    }

    fn insert(key: &'static str) -> impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<usize> + Send + 'static {
        move |connection| {
            let sql = "INSERT INTO root_keys (master_id, sealed, created_at) VALUES ($1, x'00', 0)";
            connection.prepare_cached(sql)?.execute([key])
        }
    }

    #[tokio::test]
    async fn what_fails_undoes_itself_alone() {
        let (_folder, store) = store().await;
        let half = store.group.run(|connection| {
            insert("half")(connection)?;
            connection.execute("INSERT INTO nowhere VALUES (1)", [])
        });
        let (half, whole) = tokio::join!(half, store.group.run(insert("whole")));
        assert!(matches!(half, Err(StoreError::Broken(_))), "{half:?}");
        assert_eq!(whole.unwrap(), 1);
        let roots = store.read().await.unwrap().sealed_roots().await.unwrap();
        assert_eq!(roots.iter().map(|root| root.master_id.as_str()).collect::<Vec<_>>(), ["whole"]);
    }

    #[tokio::test]
    async fn it_takes_turns_with_transactions_and_ends_with_the_store() {
        let (_folder, store) = store().await;
        let tx = store.write().await.unwrap();
        let waiting = store.group.run(insert("later"));
        tokio::pin!(waiting);
        let at_once = tokio::time::timeout(std::time::Duration::from_millis(50), &mut waiting).await;
        assert!(at_once.is_err(), "a transaction is open");
        drop(tx);
        assert_eq!(waiting.await.unwrap(), 1);
        store.close().await;
        assert!(matches!(store.group.run(insert("never")).await, Err(StoreError::Unavailable(_))));
    }
}
