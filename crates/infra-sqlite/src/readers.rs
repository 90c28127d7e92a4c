//! Reads that may take long, on blocking threads: lists, counts and scans, and snapshots.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use denizen_domain::store::StoreError;
use rusqlite::{Connection, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::connection;
use crate::error::{Refusal, broken, store_error, unavailable};

/// How long a connection lies idle, at least, before it is closed.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// Read-only connections, which are lent.
pub(crate) struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    max: u32,
    acquire_timeout: Duration,
    idle: Mutex<Vec<Connection>>,
    /// Whether one was lent since it was last asked.
    is_used: AtomicBool,
}

/// A connection that is lent. Dropped, it is given back, without a transaction.
pub(crate) struct Reader {
    /// None before it is used, so that it is opened on a thread that may wait.
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// At most `max` connections to the file, opened when they are needed.
    pub(crate) fn new(path: &Path, max: u32, acquire_timeout: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(max as usize));
        Self {
            path: path.to_owned(),
            permits,
            max,
            acquire_timeout,
            idle: Mutex::default(),
            is_used: AtomicBool::new(false),
        }
    }

    /// Closes connections that nothing uses for a while, and with them what they cache. Ends with the readers.
    pub(crate) async fn close_idle(readers: Weak<Self>) {
        loop {
            tokio::time::sleep(IDLE_MAX).await;
            let Some(readers) = readers.upgrade() else { return };
            if !readers.is_used.swap(false, Ordering::Relaxed) {
                readers.close_free();
            }
        }
    }

    /// Lends a connection.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Reader, StoreError> {
        let permit = timeout(self.acquire_timeout, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| unavailable(Refusal::TimedOut))?.map_err(|_| unavailable(Refusal::Closed))?;
        self.is_used.store(true, Ordering::Relaxed);
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Reader { connection, readers: Arc::clone(self), _permit: permit })
    }

    /// How many connections are lent, and how many there can be.
    pub(crate) fn lent(&self) -> (u32, u32) {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        (self.max.saturating_sub(free), self.max)
    }

    /// Waits for the connections that are lent, and lends no more.
    pub(crate) async fn close(&self) {
        drop(self.permits.acquire_many(self.max).await);
        self.permits.close();
        self.close_free();
    }

    fn close_free(&self) {
        drop(std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}

impl Reader {
    /// Begins a transaction: what is read in it agrees.
    pub(crate) async fn begin(self) -> Result<Self, StoreError> {
        let (reader, begun) = self.run(|connection| connection.execute_batch("BEGIN")).await?;
        begun.map(|()| reader)
    }

    /// Runs what may take long, on a blocking thread.
    pub(crate) async fn run<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<(Self, Result<T, StoreError>), StoreError> {
        let done = tokio::task::spawn_blocking(move || {
            let done = self.connection().and_then(work).map_err(store_error);
            (self, done)
        });
        done.await.map_err(broken)
    }

    /// The connection, for what takes no longer than a look-up.
    pub(crate) fn connection(&mut self) -> Result<&Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(connection::reader(&self.readers.path)?)),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // A snapshot that could not be ended would be read from without end.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
