//! The one connection that writes. Writes that come at once share a transaction, and so a commit: they wait for the disk once.
//!
//! Each write is a savepoint of the shared transaction. It takes its turn, runs its statements, and releases its savepoint; then it
//! waits for the commit, which is made as soon as no other write waits for its turn, or the transaction has enough of them.
//! A write that fails or is dropped goes back to its savepoint alone. A shared transaction that fails, fails all its writes.
//! No write is answered before the commit is on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

use denizen_domain::store::StoreError;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::timeout;

use crate::connection::{self, BUSY_TIMEOUT};
use crate::error::{Refusal, broken, is_locked, is_write_failure, store_error, unavailable};
use crate::events::Head;
use crate::file_identity::FileIdentity;
use crate::recent::Recent;
use crate::shared::changes::Changes;
use crate::shared::wake::Wake;
use crate::write_health::WriteHealth;

/// How many writes share a transaction at most.
const MEMBERS_MAX: usize = 128;
/// How long a shared transaction takes in writes before it is committed.
const OPEN_FOR_MAX: Duration = Duration::from_millis(2);

/// Lends the turn to write.
pub(crate) struct Writer(Arc<Shared>);

struct Shared {
    path: PathBuf,
    acquire_timeout: Duration,
    recent: Arc<Recent>,
    health: Arc<WriteHealth>,
    identity: Arc<FileIdentity>,
    runtime: Handle,
    /// How many wait for their turn.
    queued: AtomicUsize,
    state: Arc<Mutex<State>>,
}

/// What the holder of the turn has.
#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// The shared transaction, if one is open.
    open: Option<Open>,
    /// Where the log of events ended when this connection last wrote to it.
    head: Option<Head>,
    is_closed: bool,
}

/// A shared transaction.
struct Open {
    since: Instant,
    /// The writes in it, each of which waits for the commit.
    members: Vec<Member>,
    /// SQLite gave it up by itself: nothing of it is left, and nothing may follow in it.
    is_lost: bool,
    /// The connection met an error that it may remember.
    must_replace: bool,
}

/// A write that was done and waits for the commit.
struct Member {
    changes: Changes,
    wake: Wake,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// The turn to write: a savepoint in the shared transaction. Dropped, it leaves nothing behind.
pub(crate) struct Turn {
    /// Taken when the turn ends.
    state: Option<OwnedMutexGuard<State>>,
    shared: Arc<Shared>,
    has_savepoint: bool,
}

/// A shared transaction on its way to a blocking thread. Dropped before it gets there, because the runtime ends, it fails.
struct Committing {
    shared: Arc<Shared>,
    /// Taken when the commit is made.
    state: Option<OwnedMutexGuard<State>>,
}

/// A write that waits for the turn. They are counted: the last one that has the turn commits.
struct Queued<'a>(&'a Arc<Shared>);

impl Writer {
    /// A writer to this file. Call it within a tokio runtime.
    pub(crate) fn new(
        path: PathBuf,
        acquire_timeout: Duration,
        recent: &Arc<Recent>,
        health: &Arc<WriteHealth>,
        identity: &Arc<FileIdentity>,
    ) -> Self {
        let (recent, health, identity) = (Arc::clone(recent), Arc::clone(health), Arc::clone(identity));
        let (runtime, queued, state) = (Handle::current(), AtomicUsize::new(0), Arc::default());
        Self(Arc::new(Shared { path, acquire_timeout, recent, health, identity, runtime, queued, state }))
    }

    /// Waits for the turn and begins a write.
    pub(crate) async fn begin(&self) -> Result<Turn, StoreError> {
        let shared = &self.0;
        shared.identity.check()?;
        let state = {
            let _queued = Queued::new(shared);
            let turn = timeout(shared.acquire_timeout, Arc::clone(&shared.state).lock_owned()).await;
            turn.map_err(|_| unavailable(Refusal::TimedOut))?
        };
        if state.is_closed {
            return Err(unavailable(Refusal::Closed));
        }
        let turn = Turn { state: Some(state), shared: Arc::clone(shared), has_savepoint: false };
        let begun = turn.begin().await;
        shared.health.note(&begun);
        begun
    }

    /// How many writes wait for their turn.
    pub(crate) fn queued(&self) -> u32 {
        self.0.queued.load(Ordering::Relaxed).try_into().unwrap_or(u32::MAX)
    }

    /// Lets the writes end that have begun, takes no more, and closes the connection.
    pub(crate) async fn close(&self) {
        loop {
            let mut state = {
                let _queued = Queued::new(&self.0);
                Arc::clone(&self.0.state).lock_owned().await
            };
            if state.open.is_none() {
                state.is_closed = true;
                state.connection = None;
                return;
            }
            self.0.pass_on(state);
        }
    }
}

impl Turn {
    async fn begin(mut self) -> Result<Self, StoreError> {
        if !self.open_here()? {
            self = self.open_on_blocking_thread().await?;
        }
        self.run(|connection| connection.prepare_cached("SAVEPOINT one")?.raw_execute())?;
        self.has_savepoint = true;
        Ok(self)
    }

    /// Opens the shared transaction, unless it is open; false if that may take long.
    fn open_here(&mut self) -> Result<bool, StoreError> {
        let Some(state) = self.state.as_deref_mut() else { return Err(without_turn()) };
        if state.open.is_some() {
            return Ok(true);
        }
        let Some(connection) = &state.connection else { return Ok(false) };
        match connection.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => {
                state.note_open(&self.shared.recent);
                Ok(true)
            }
            Err(error) if is_locked(&error) => Ok(false),
            Err(error) => {
                state.connection = None;
                Err(store_error(error))
            }
        }
    }

    /// The same where the thread may wait: for the connection, or for another process that writes.
    async fn open_on_blocking_thread(mut self) -> Result<Self, StoreError> {
        let opened = tokio::task::spawn_blocking(move || {
            let Some(state) = self.state.as_deref_mut() else { return Err(without_turn()) };
            if let Err(error) = state.open_waiting(&self.shared) {
                state.connection = None;
                return Err(store_error(error));
            }
            Ok(self)
        });
        opened.await.map_err(broken)?
    }

    /// Runs a statement of this write.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let Some(State { connection: Some(connection), open: Some(open), .. }) = self.state.as_deref_mut() else {
            return Err(without_turn());
        };
        if open.is_lost {
            return Err(unavailable("the transaction of this write was rolled back"));
        }
        work(connection).map_err(|error| {
            open.is_lost = connection.is_autocommit();
            let error = store_error(error);
            open.must_replace |= is_write_failure(&error);
            self.shared.health.note_error(&error);
            error
        })
    }

    /// Runs statements of an application. One that ends the shared transaction fails all its writes.
    pub(crate) fn lend<T>(&mut self, work: impl FnOnce(&Connection) -> T) -> Result<T, StoreError> {
        let (value, has_ended) = self.run(|connection| {
            let value = work(connection);
            Ok((value, connection.is_autocommit()))
        })?;
        if has_ended && let Some(open) = self.state.as_mut().and_then(|state| state.open.as_mut()) {
            open.is_lost = true;
            return Err(unavailable("the transaction was ended by a statement of the application"));
        }
        Ok(value)
    }

    /// Where the log of events ended when it was last written to.
    pub(crate) fn head(&self) -> Option<Head> {
        self.state.as_ref().and_then(|state| state.head)
    }

    /// Notes where it ends after this write.
    pub(crate) fn set_head(&mut self, head: Option<Head>) {
        if let Some(state) = &mut self.state {
            state.head = head;
        }
    }

    /// Makes the write durable. Other writes may come before the commit, and share it.
    pub(crate) async fn commit(mut self, changes: Changes, wake: Wake) -> Result<(), StoreError> {
        self.run(|connection| connection.prepare_cached("RELEASE one")?.raw_execute())?;
        self.has_savepoint = false;
        let (answer, committed) = oneshot::channel();
        if let Some(open) = self.state.as_mut().and_then(|state| state.open.as_mut()) {
            open.members.push(Member { changes, wake, answer });
        }
        drop(self);
        committed.await.unwrap_or_else(|_| Err(unavailable("the commit was given up")))
    }
}

fn without_turn() -> StoreError {
    broken("a write without its turn")
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        if self.has_savepoint {
            state.roll_back_to_savepoint();
        }
        self.shared.pass_on(state);
    }
}

impl Shared {
    /// Ends a turn: commits the shared transaction, or leaves that to the next turn.
    fn pass_on(self: &Arc<Self>, mut state: OwnedMutexGuard<State>) {
        let is_awaited = self.queued.load(Ordering::SeqCst) > 0;
        let Some(open) = &state.open else { return };
        let is_full = open.members.len() >= MEMBERS_MAX || open.since.elapsed() >= OPEN_FOR_MAX;
        if open.is_lost {
            self.answer(state, &Err("SQLite rolled it back".to_owned()));
        } else if is_awaited && !is_full {
            drop(state);
            self.settle();
        } else if open.members.is_empty() {
            // Nothing was written; what little is in memory is undone at once.
            if state.connection.as_ref().is_some_and(|connection| connection.execute_batch("ROLLBACK").is_err()) {
                state.connection = None;
            }
            self.answer(state, &Ok(()));
        } else {
            let committing = Committing { shared: Arc::clone(self), state: Some(state) };
            self.runtime.spawn_blocking(|| committing.commit());
        }
    }

    /// Commits what is open if those who were to do so have left the queue.
    fn settle(self: &Arc<Self>) {
        // Of one who passes the turn on and one who leaves the queue, at least one sees what the other did before.
        fence(Ordering::SeqCst);
        if self.queued.load(Ordering::SeqCst) == 0
            && let Ok(state) = Arc::clone(&self.state).try_lock_owned()
        {
            self.pass_on(state);
        }
    }

    /// Ends the shared transaction and says to all its writes how it went.
    fn answer(&self, mut state: OwnedMutexGuard<State>, committed: &Result<(), String>) {
        let Some(open) = state.open.take() else { return };
        if committed.is_err() {
            state.head = None;
        }
        // After a failed commit the transaction may still be open; closing the connection ends it.
        if committed.is_err() || open.must_replace {
            tracing::info!(error = committed.as_ref().err(), "replacing the writing connection of the database");
            state.connection = None;
        }
        self.recent.end_write(open.members.iter().map(|member| &member.changes));
        drop(state);
        for member in open.members {
            if committed.is_ok() {
                member.wake.tell();
            }
            let outcome = committed.clone().map_err(|message| unavailable(Refusal::Together(message)));
            // A client that disconnected takes no answer.
            let _ = member.answer.send(outcome);
        }
    }
}

impl Committing {
    fn commit(mut self) {
        let committed = match self.state.as_ref().and_then(|state| state.connection.as_ref()) {
            Some(connection) => connection.execute_batch("COMMIT").map_err(|error| {
                self.shared.health.note_failure();
                error.to_string()
            }),
            None => Err("the connection is closed".to_owned()),
        };
        if let Some(state) = self.state.take() {
            self.shared.answer(state, &committed);
        }
    }
}

impl Drop for Committing {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.shared.answer(state, &Err("the commit was not made".to_owned()));
        }
    }
}

impl State {
    /// Opens the connection if there is none, and the shared transaction, on a thread that may wait.
    fn open_waiting(&mut self, shared: &Shared) -> rusqlite::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connection::writer(&shared.path)?),
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.busy_timeout(Duration::ZERO)?;
        self.note_open(&shared.recent);
        Ok(())
    }

    fn note_open(&mut self, recent: &Recent) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the time that a transaction is open does not concern the domain"
        )]
        let since = Instant::now();
        self.open = Some(Open { since, members: Vec::new(), is_lost: false, must_replace: false });
        recent.begin_write();
    }

    /// Undoes what was done since the savepoint.
    fn roll_back_to_savepoint(&mut self) {
        self.head = None;
        let (Some(connection), Some(open)) = (&self.connection, &mut self.open) else { return };
        if open.is_lost {
            return;
        }
        let undone = connection.execute_batch("ROLLBACK TO one; RELEASE one");
        if let Err(error) = undone {
            // Half of it may be left: then nothing of the shared transaction may be kept.
            tracing::warn!(%error, "a write could not be rolled back alone");
            open.is_lost = true;
        }
    }
}

impl<'a> Queued<'a> {
    fn new(shared: &'a Arc<Shared>) -> Self {
        shared.queued.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::SeqCst);
        self.0.settle();
    }
}
