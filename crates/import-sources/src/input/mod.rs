//! Reading files: character encodings, JSON and CSV, one record at a time.

mod csv;
mod decode;
mod json;
mod lines;
mod strict;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fields::Object;
use crate::{Error, RECORD_BYTES_MAX};

pub(crate) use csv::Format;

/// How much of a file is read to recognise its format.
const HEAD_BYTES: u64 = 64 * 1024;

/// Paths of JSON objects in a document: names of fields, `*` for the elements of an array.
pub(crate) type Paths = &'static [&'static [&'static str]];

/// Why a record cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Longer than [`RECORD_BYTES_MAX`](crate::RECORD_BYTES_MAX).
    TooLong,
    /// The reason.
    Invalid(String),
}

/// A record: a JSON object, or a row of a CSV file as an object of strings.
pub(crate) struct Entry {
    /// The line on which it begins.
    pub(crate) line: u64,
    /// The name of the array that contains it; empty at the top level.
    pub(crate) kind: &'static str,
    pub(crate) object: Result<Object, Broken>,
}

type Source = Box<dyn BufRead + Send>;

enum Kind {
    Json(json::Elements<Source>),
    Lines(lines::JsonLines<Source>),
    Csv(Box<csv::Rows<Source>>),
}

/// The records of a file.
pub(crate) struct Entries {
    format: Kind,
    counter: Counter,
}

/// How a converter reads files.
pub(crate) struct Layout<'a> {
    pub(crate) paths: Paths,
    pub(crate) csv: Format<'a>,
}

impl Entries {
    pub(crate) fn open(file: &Path, layout: &Layout<'_>) -> Result<Self, Error> {
        let (head, reader, counter) = open_text(file).map_err(Error::io(file))?;
        let format = if is_json(&head) {
            if is_json_lines(&head, layout.paths) {
                Kind::Lines(lines::JsonLines::new(reader))
            } else {
                Kind::Json(json::Elements::new(reader, layout.paths))
            }
        } else {
            let rows = csv::Rows::open(reader, &head, &layout.csv).map_err(|error| match error {
                csv::OpenError::Io(error) => Error::io(file)(error),
                csv::OpenError::Header(reason) => Error::Options { file: file.to_owned(), reason },
            })?;
            Kind::Csv(Box::new(rows))
        };
        Ok(Self { format, counter })
    }

    /// The next record; an error ends the file.
    pub(crate) fn next(&mut self) -> Option<io::Result<Entry>> {
        match &mut self.format {
            Kind::Json(elements) => elements.next(),
            Kind::Lines(lines) => lines.next(),
            Kind::Csv(rows) => rows.next(),
        }
    }

    /// The columns of a CSV file.
    pub(crate) fn columns(&self) -> Option<&[String]> {
        match &self.format {
            Kind::Csv(rows) => Some(rows.columns()),
            _ => None,
        }
    }

    /// How many bytes of the file have been read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.counter.bytes.load(Ordering::Relaxed)
    }
}

/// The beginning of a file, as text.
pub(crate) fn head(file: &Path) -> Result<Vec<u8>, Error> {
    open_text(file).map(|(head, ..)| head).map_err(Error::io(file))
}

/// Whether a file begins like JSON.
pub(crate) fn is_json(head: &[u8]) -> bool {
    matches!(head.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Whether each line is an object of its own: the first one is complete, and is not a document that contains arrays of
/// records.
fn is_json_lines(head: &[u8], paths: Paths) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    if !paths.contains(&([].as_slice())) || !line.starts_with(b"{") {
        return false;
    }
    let Ok(Ok(object)) = strict::parse(line) else { return false };
    let is_document = |path: &&[&str]| match path {
        [name, ..] if *name != "*" => object.get(*name).is_some_and(|value| value.is_array() || value.is_object()),
        _ => false,
    };
    !paths.iter().any(is_document)
}

fn open_text(file: &Path) -> io::Result<(Vec<u8>, Source, Counter)> {
    let opened = File::open(file)?;
    if opened.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
    }
    let counter = Counter::default();
    let file = Counted { inner: opened, counter: counter.clone() };
    let mut text = decode::text(BufReader::with_capacity(64 * 1024, file))?;
    let mut head = Vec::new();
    text.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let reader = Cursor::new(head.clone()).chain(text);
    Ok((head, Box::new(BufReader::with_capacity(64 * 1024, reader)), counter))
}

#[derive(Clone, Default)]
struct Counter {
    bytes: Arc<AtomicU64>,
}

struct Counted<R> {
    inner: R,
    counter: Counter,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.counter.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Bytes of a record, up to the limit.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Bounded {
    fn push(&mut self, byte: u8) {
        if self.bytes.len() < RECORD_BYTES_MAX {
            self.bytes.push(byte);
        } else {
            self.is_too_long = true;
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = RECORD_BYTES_MAX - self.bytes.len();
        self.is_too_long |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The JSON object; or why it cannot be read.
    fn object(&self) -> Result<Object, Broken> {
        if self.is_too_long {
            return Err(Broken::TooLong);
        }
        match strict::parse(&self.bytes) {
            Ok(object) => object.map_err(Broken::Invalid),
            Err(error) => Err(Broken::Invalid(error)),
        }
    }
}
