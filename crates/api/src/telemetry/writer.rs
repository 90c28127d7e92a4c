//! The queue of log lines and the thread that writes them.
//!
//! A line that does not fit into the queue is dropped and counted. Once lines are written again, a line tells how many
//! were dropped. A closed pipe or a full disk drops lines too; the next lines are tried anew.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How much is queued at most, in bytes. The thread holds as much again while it writes.
const QUEUE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How long the end of the process waits for lines that are still queued.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// How long the thread waits before it writes again to a reader that takes nothing at the moment.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How many lines were dropped by this process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread writes the log. What it reports itself is queued beyond the bound: it is one line.
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// The running log. Dropped, it stops once the queue is written, and waits for that a second at most.
#[derive(Debug)]
pub struct LogWriter {
    queue: Queue,
}

impl LogWriter {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Queue::default();
        let of_thread = queue.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.write_to(sink))?;
        Ok(Self { queue })
    }

    /// Where lines are put.
    #[must_use]
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let Shared { state, changed } = &*self.queue.0;
        let mut state = lock(state);
        state.is_closing = true;
        changed.notify_all();
        // A reader that has stalled is not waited for: the process ends, and the thread with it.
        drop(changed.wait_timeout_while(state, FLUSH_PATIENCE, |state| !state.is_done));
    }
}

/// How many lines were dropped by this process, since it started.
pub(crate) fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Lines on their way to the thread that writes them.
#[derive(Debug, Clone, Default)]
pub struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    lines: u64,
    dropped: u64,
    is_closing: bool,
    is_done: bool,
}

impl Queue {
    /// Adds a line, or drops it when there is no room. Never waits for the reader.
    fn push(&self, line: &[u8]) {
        let mut state = lock(&self.0.state);
        if state.bytes.len() + line.len() > QUEUE_BYTES_MAX && !IS_WRITER.get() {
            state.dropped += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.bytes.extend_from_slice(line);
        state.lines += 1;
        if state.lines == 1 {
            self.0.changed.notify_all();
        }
    }

    /// Writes what is queued, batch by batch, until the log is closed and nothing is left.
    fn write_to(&self, mut sink: impl Write) {
        IS_WRITER.set(true);
        let mut batch = Vec::new();
        loop {
            let mut state = lock(&self.0.state);
            while state.lines == 0 && !state.is_closing {
                state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.lines == 0 {
                state.is_done = true;
                self.0.changed.notify_all();
                return;
            }
            batch.clear();
            std::mem::swap(&mut batch, &mut state.bytes);
            let lines = std::mem::take(&mut state.lines);
            drop(state);
            if write_all(&mut sink, &batch).is_ok() {
                self.report_dropped();
            } else {
                lock(&self.0.state).dropped += lines;
                DROPPED.fetch_add(lines, Ordering::Relaxed);
            }
        }
    }

    /// Logs how many lines were dropped, now that lines are written again.
    fn report_dropped(&self) {
        let dropped = std::mem::take(&mut lock(&self.0.state).dropped);
        if dropped > 0 {
            tracing::warn!(dropped, "{dropped} log lines dropped: standard error was not read fast enough");
        }
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines(self)
    }
}

/// Takes whole lines, as the formatter writes them.
#[derive(Debug)]
pub struct Lines<'a>(&'a Queue);

impl Write for Lines<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, without the lock of the standard library: others that write there must not wait for this thread.
pub(super) fn standard_error() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(descriptor));
    }
    Box::new(io::stderr())
}

/// Writes a whole batch. A descriptor that does not block, which a parent can have set, is waited for.
fn write_all(sink: &mut impl Write, mut batch: &[u8]) -> io::Result<()> {
    while !batch.is_empty() {
        match sink.write(batch) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => batch = &batch[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(BUSY_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
