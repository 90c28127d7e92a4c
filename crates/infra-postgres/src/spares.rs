//! Connections between two uses. The pool tests each connection that is returned to it, which is a round trip for each
//! read and each write. A connection whose last statement was answered waits here instead, for a second at most.
//!
//! The pool still opens and closes connections, and replaces those that are old. Callers are admitted here, in order, as
//! many as there are connections: so a caller who is admitted finds a connection here, or the pool has room for one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use crate::UNTRIED_S_MAX;
use crate::lend::{give_back, now};

/// How long a connection goes from use to use until the pool tests it and looks at its age, in seconds.
const UNSEEN_S_MAX: u64 = 60;
/// How much longer than for its admission a caller waits for the pool, which knows why there is no connection.
const REASON_MARGIN: Duration = Duration::from_millis(100);

/// The connections of a pool that are not in use, and the admission to them.
#[derive(Debug)]
pub(crate) struct Spares {
    pool: PgPool,
    admission: Arc<Semaphore>,
    /// How long a caller waits for a connection.
    acquire_within: Duration,
    /// How long a connection has to answer when it is returned to the pool.
    answer_within: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The most recently used one is the last.
    connections: Vec<Spare>,
    is_swept: bool,
    is_closed: bool,
}

#[derive(Debug)]
struct Spare {
    connection: PoolConnection<Postgres>,
    lent_at: Instant,
    unused_since: Instant,
}

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Borrowed {
    pub(crate) connection: PoolConnection<Postgres>,
    /// When the pool lent it.
    lent_at: Instant,
    /// Released after the connection is here again, or in the pool.
    admission: OwnedSemaphorePermit,
}

impl Spares {
    pub(crate) fn new(pool: PgPool, acquire_within: Duration, answer_within: Duration) -> Self {
        let permits = usize::try_from(pool.options().get_max_connections()).unwrap_or(Semaphore::MAX_PERMITS);
        let (admission, state) = (Arc::new(Semaphore::new(permits)), Mutex::default());
        Self { pool, admission, acquire_within, answer_within, state }
    }

    /// A connection that was used a moment ago, or else one of the pool.
    pub(crate) async fn borrow(&self) -> sqlx::Result<Borrowed> {
        let until = now() + self.acquire_within;
        let admitted = timeout_at(until, Arc::clone(&self.admission).acquire_owned()).await;
        let admission = admitted.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        if let Some(Spare { connection, lent_at, .. }) = self.take() {
            return Ok(Borrowed { connection, lent_at, admission });
        }
        let acquired = timeout_at(until + REASON_MARGIN, self.pool.acquire()).await;
        let connection = acquired.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(Borrowed { connection, lent_at: now(), admission })
    }

    fn take(&self) -> Option<Spare> {
        let mut state = self.lock();
        let last = state.connections.pop()?;
        if is_fresh(&last) {
            return Some(last);
        }
        // Those below were used even earlier.
        let mut old = std::mem::take(&mut state.connections);
        drop(state);
        old.push(last);
        self.return_all(old);
        None
    }

    /// Takes a connection whose last statement was answered and on which no transaction is open. Call it within a runtime.
    pub(crate) fn put(self: &Arc<Self>, runtime: &Handle, borrowed: Borrowed) {
        let Borrowed { connection, lent_at, admission } = borrowed;
        let is_unseen = lent_at.elapsed() > Duration::from_secs(UNSEEN_S_MAX);
        let mut state = self.lock();
        if state.is_closed || is_unseen {
            drop(state);
            self.give_back(runtime, Borrowed { connection, lent_at, admission });
            return;
        }
        state.connections.push(Spare { connection, lent_at, unused_since: now() });
        if !std::mem::replace(&mut state.is_swept, true) {
            runtime.spawn(Arc::clone(self).sweep());
        }
        drop(state);
        drop(admission);
    }

    /// Returns a connection to the pool, which tests it.
    pub(crate) fn give_back(&self, runtime: &Handle, borrowed: Borrowed) {
        let Borrowed { connection, admission, .. } = borrowed;
        let answer_within = self.answer_within;
        runtime.spawn(async move {
            give_back(connection, answer_within).await;
            drop(admission);
        });
    }

    /// Returns every connection to the pool, which tests it: one has failed, so the others may be broken as well.
    pub(crate) fn distrust(&self) {
        let all = std::mem::take(&mut self.lock().connections);
        self.return_all(all);
    }

    /// How many connections are borrowed, and how many there can be.
    pub(crate) fn lent(&self) -> (u32, u32) {
        let max = self.pool.options().get_max_connections();
        let free = u32::try_from(self.admission.available_permits()).unwrap_or(u32::MAX);
        (max.saturating_sub(free), max)
    }

    /// Waits until all connections are given back, and closes them.
    pub(crate) async fn close(&self) {
        self.admission.close();
        self.lock().is_closed = true;
        self.distrust();
        self.pool.close().await;
    }

    /// Returns the connections that are not used any more, until there are none.
    async fn sweep(self: Arc<Self>) {
        loop {
            sleep(Duration::from_secs(UNTRIED_S_MAX)).await;
            let mut state = self.lock();
            let first_fresh = state.connections.iter().position(is_fresh).unwrap_or(state.connections.len());
            let old = state.connections.drain(..first_fresh).collect();
            let is_done = state.connections.is_empty();
            state.is_swept = !is_done;
            drop(state);
            self.return_all(old);
            if is_done {
                return;
            }
        }
    }

    fn return_all(&self, spares: Vec<Spare>) {
        let Ok(runtime) = Handle::try_current() else { return };
        for spare in spares {
            runtime.spawn(give_back(spare.connection, self.answer_within));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(spare: &Spare) -> bool {
    spare.unused_since.elapsed() <= Duration::from_secs(UNTRIED_S_MAX)
}
