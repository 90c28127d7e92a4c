//! The input of an import: a file, encrypted or not, or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use anyhow::{Context as _, anyhow};
use denizen_domain::error::FieldError;
use denizen_domain::keys::SealedRoot;
use futures_util::FutureExt;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::cli::failure::Failure;
use crate::cli::users::from::NotCarriedCounts;
use crate::encrypted_file::{DecryptionArgs, MAGIC, is_encrypted};
use crate::export_line::HeaderLine;
use crate::lines::{Line, Lines};

/// The longest line of an export with credentials: 200 API keys and 20 passkeys fit into it.
const EXPORTED_LINE_BYTES_MAX: usize = 1024 * 1024;

/// Yields the lines of an import, each with its number from 1. Runs on a separate thread.
pub(crate) trait Source: Send {
    /// The next line; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<SourceLine>>;

    /// How many bytes of the input were read.
    fn position(&self) -> u64;
}

/// A line of an input.
pub(crate) struct SourceLine {
    /// Its number in the file, from 1.
    pub(crate) number: u64,
    /// Its file, if there are several.
    pub(crate) file: Option<String>,
    /// The line; or the faults of a record of another system.
    pub(crate) content: Result<Line, Vec<FieldError>>,
}

/// An opened input.
pub(crate) struct Input {
    /// Its lines.
    pub(crate) source: Box<dyn Source>,
    /// Its length, if that is known.
    pub(crate) total_bytes: Option<u64>,
    /// The sealed root keys of the server that exported it.
    pub(crate) roots: Vec<SealedRoot>,
    /// Counts of the data in files of another system that is not carried over.
    pub(crate) not_carried: Option<NotCarriedCounts>,
}

/// Opens a file, or standard input if it is `-`, and decrypts it if it is encrypted.
pub(crate) fn open(file: &str, decryption: &DecryptionArgs, line_bytes_max: usize) -> Result<Input, Failure> {
    let (reader, position, total_bytes) = open_bytes(file)?;
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let is_encrypted = is_encrypted_file(&mut reader).with_context(|| format!("reading {file}"))?;
    let reader: Box<dyn BufRead + Send> = if is_encrypted {
        let decrypted = decryption.open(reader).with_context(|| format!("decrypting {file}"))?;
        Box::new(BufReader::with_capacity(64 * 1024, decrypted))
    } else {
        Box::new(reader)
    };
    let lines = Lines::new(Blocking(reader), line_bytes_max);
    let mut source = Box::new(JsonLines { lines, position, first: None });
    source.first = source.next_line().with_context(|| format!("reading {file}"))?;
    let roots = match &source.first {
        Some(SourceLine { content: Ok(Line::Whole(line)), .. }) if HeaderLine::is_header(line) => {
            source.lines.accept(EXPORTED_LINE_BYTES_MAX.max(line_bytes_max));
            HeaderLine::read_roots(line)
        }
        _ => Vec::new(),
    };
    Ok(Input { source, total_bytes, roots, not_carried: None })
}

type Bytes = Box<dyn Read + Send>;

/// The bytes of a file, how many were read, and how many there are.
fn open_bytes(file: &str) -> Result<(Bytes, Arc<AtomicU64>, Option<u64>), Failure> {
    let position = Arc::new(AtomicU64::new(0));
    let counted = |reader: Bytes| -> Bytes { Box::new(Counting { reader, count: Arc::clone(&position) }) };
    if file == "-" {
        return Ok((counted(Box::new(io::stdin())), position, None));
    }
    let failed = || format!("reading {file}");
    let opened = File::open(file).with_context(failed)?;
    let metadata = opened.metadata().with_context(failed)?;
    if metadata.is_dir() {
        return Err(anyhow!("reading {file}: is a directory").into());
    }
    let total_bytes = metadata.is_file().then_some(metadata.len());
    Ok((counted(Box::new(opened)), position, total_bytes))
}

/// Looks at the first bytes without consuming them.
fn is_encrypted_file(reader: &mut BufReader<Bytes>) -> io::Result<bool> {
    let head = reader.fill_buf()?;
    // A pipe may deliver fewer bytes than requested; the first write of an encrypted file is longer than the magic.
    Ok(head.len() >= MAGIC.len() && is_encrypted(head))
}

/// Lines of JSON.
struct JsonLines {
    lines: Lines<Blocking>,
    position: Arc<AtomicU64>,
    /// The first line, which was read ahead.
    first: Option<SourceLine>,
}

impl Source for JsonLines {
    fn next_line(&mut self) -> io::Result<Option<SourceLine>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let next = self.lines.next().now_or_never().expect("a blocking reader is always ready")?;
        Ok(next.map(|(number, line)| SourceLine { number, file: None, content: Ok(line) }))
    }

    fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

struct Counting {
    reader: Bytes,
    count: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A blocking reader as an asynchronous one that is always ready.
struct Blocking(Box<dyn BufRead + Send>);

impl AsyncRead for Blocking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.0.read(buffer.initialize_unfilled())?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Blocking {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(self.get_mut().0.fill_buf())
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.0.consume(amount);
    }
}
