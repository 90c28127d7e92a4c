//! Reads and checks lines on a separate thread, a few batches ahead.

use std::sync::Arc;
use std::{io, thread};

use anyhow::Context;
use denizen_domain::Services;
use denizen_domain::error::FieldError;
use denizen_domain::users::ImportUser;
use tokio::sync::mpsc;

use super::source::{Source, SourceLine};
use crate::cli::failure::Failure;
use crate::export_line::HeaderLine;
use crate::import_line::parse_line;
use crate::importer::BATCH;
use crate::lines::Line;

/// How many batches are read ahead.
const BATCHES_AHEAD: usize = 2;

/// A line that was read and checked.
pub(super) struct CheckedLine {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its file, if there are several.
    pub(super) file: Option<String>,
    /// Its text; `None` if it is too long, or is a record of another system.
    pub(super) text: Option<Vec<u8>>,
    parsed: Option<Result<ImportUser, Vec<FieldError>>>,
}

impl CheckedLine {
    /// The user of the line, or what is wrong with it.
    pub(super) fn take_parsed(&mut self) -> Result<ImportUser, Vec<FieldError>> {
        self.parsed.take().unwrap_or_else(|| Err(Vec::new()))
    }
}

/// Lines in the order of the input, including those already rejected: they are reported in order.
pub(super) struct Batch {
    pub(super) lines: Vec<CheckedLine>,
    /// How many bytes of the input were read up to its end.
    pub(super) position: u64,
}

/// A thread that reads and checks.
pub(super) struct Checking(mpsc::Receiver<io::Result<Batch>>);

impl Checking {
    /// Starts the thread. It ends with the input, or when this is dropped.
    pub(super) fn start(mut source: Box<dyn Source>, services: Arc<Services>) -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let run = move || {
            loop {
                match read_batch(&mut *source, &services) {
                    Ok(batch) if batch.lines.is_empty() => return,
                    Ok(batch) => {
                        if sender.blocking_send(Ok(batch)).is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        // If the import has ended, the receiver is dropped.
                        let _ = sender.blocking_send(Err(error));
                        return;
                    }
                }
            }
        };
        thread::Builder::new().name("import".to_owned()).spawn(run).context("starting a thread")?;
        Ok(Self(receiver))
    }

    /// The next batch; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<io::Result<Batch>> {
        self.0.recv().await
    }
}

/// Reads lines until a batch is full or the input ends. Skips blank lines and the header of an export.
fn read_batch(source: &mut dyn Source, services: &Services) -> io::Result<Batch> {
    let mut lines = Vec::with_capacity(BATCH);
    while lines.len() < BATCH {
        let Some(SourceLine { number, file, content }) = source.next_line()? else { break };
        let line = match content {
            Ok(Line::Whole(content)) if content.trim_ascii().is_empty() || HeaderLine::is_header(&content) => continue,
            Ok(Line::Whole(content)) => {
                let parsed = Some(parse_line(&content, services));
                CheckedLine { number, file, text: Some(content), parsed }
            }
            Err(faults) => CheckedLine { number, file, text: None, parsed: Some(Err(faults)) },
            Ok(Line::TooLong) => {
                let fault = FieldError::new("line", "too_long", "must be within limits.import_line_bytes");
                CheckedLine { number, file, text: None, parsed: Some(Err(vec![fault])) }
            }
        };
        lines.push(line);
    }
    Ok(Batch { lines, position: source.position() })
}
