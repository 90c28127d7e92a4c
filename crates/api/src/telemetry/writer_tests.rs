use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::{LogWriter, QUEUE_BYTES_MAX};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Reads,
    Stalls,
    IsGone,
}

/// A reader that can stall and go away.
#[derive(Clone)]
struct Sink(Arc<Pipe>);

type Pipe = (Mutex<(Reader, Vec<u8>)>, Condvar);

impl Sink {
    fn new(reader: Reader) -> Self {
        Self(Arc::new((Mutex::new((reader, Vec::new())), Condvar::new())))
    }

    fn set(&self, reader: Reader) {
        self.0.0.lock().unwrap().0 = reader;
        self.0.1.notify_all();
    }

    /// Waits until this was read.
    fn reads(&self, text: &str) {
        let guard = self.0.0.lock().unwrap();
        let is_absent = |state: &mut (Reader, Vec<u8>)| !String::from_utf8_lossy(&state.1).contains(text);
        let (_guard, waited) = self.0.1.wait_timeout_while(guard, Duration::from_secs(10), is_absent).unwrap();
        assert!(!waited.timed_out(), "{text:?} was not read");
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let guard = self.0.0.lock().unwrap();
        let mut state = self.0.1.wait_while(guard, |state| state.0 == Reader::Stalls).unwrap();
        if state.0 == Reader::IsGone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        state.1.extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes lines through a subscriber of this thread.
fn log_lines(writer: &LogWriter, lines: usize) {
    let subscriber = tracing_subscriber::fmt().with_writer(writer.queue()).with_ansi(false).finish();
    let text = "x".repeat(1_024);
    tracing::subscriber::with_default(subscriber, || (0..lines).for_each(|_| tracing::info!("{text}")));
}

#[test]
fn lines_are_dropped_and_counted_while_the_reader_stalls() {
    let sink = Sink::new(Reader::Stalls);
    let writer = LogWriter::start(sink.clone()).unwrap();
    log_lines(&writer, 3 * QUEUE_BYTES_MAX / 1_024);
    let state = writer.queue.0.state.lock().unwrap();
    assert!(state.dropped > 0 && state.bytes.len() <= QUEUE_BYTES_MAX, "{} {}", state.dropped, state.bytes.len());
    drop(state);
    sink.set(Reader::Reads);
    writeln!(writer.queue().make_writer(), "after the pause").unwrap();
    sink.reads("after the pause");
}

#[test]
fn lines_are_written_again_once_there_is_a_reader() {
    let sink = Sink::new(Reader::IsGone);
    let writer = LogWriter::start(sink.clone()).unwrap();
    log_lines(&writer, 3);
    while writer.queue.0.state.lock().unwrap().dropped < 3 {
        std::thread::yield_now();
    }
    sink.set(Reader::Reads);
    log_lines(&writer, 1);
    sink.reads("INFO");
}

#[test]
fn the_end_writes_what_is_queued_and_does_not_wait_for_a_stalled_reader() {
    let sink = Sink::new(Reader::Reads);
    let writer = LogWriter::start(sink.clone()).unwrap();
    log_lines(&writer, 100);
    drop(writer);
    assert_eq!(String::from_utf8_lossy(&sink.0.0.lock().unwrap().1).lines().count(), 100);

    let writer = LogWriter::start(Sink::new(Reader::Stalls)).unwrap();
    log_lines(&writer, 1);
    // Returns although the reader never reads.
    drop(writer);
}
