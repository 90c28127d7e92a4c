//! Reads a snapshot.

use std::io::{self, BufRead, BufReader, Read};

use aws_lc_rs::digest::{Context, SHA256};
use denizen_domain::events::chain::hexadecimal;
use denizen_domain::rows::{Row, Table};

use super::line::{EndLine, TableLine, read_row};
use super::{Contents, FORMAT, Header, SnapshotError};

/// The longest line that is read, in bytes. The longest row has some 100 KiB.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

const CUT: SnapshotError = SnapshotError::Damaged("it ends too early");

/// Reads rows in the order in which they were written, and checks at the end that none is missing or changed.
pub struct SnapshotReader<R: Read> {
    lines: BufReader<zstd::Decoder<'static, BufReader<R>>>,
    header: Header,
    digest: Context,
    table: Option<Table>,
    contents: Contents,
    line: Vec<u8>,
    is_at_end: bool,
}

impl<R: Read> SnapshotReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is not a snapshot that this release reads.
    pub fn open(stream: R) -> Result<Self, SnapshotError> {
        let lines = BufReader::new(zstd::Decoder::new(stream)?);
        let header = Header {
            denizen_snapshot: 0,
            created_at: String::new(),
            release: String::new(),
            schema_version: 0,
            database: String::new(),
        };
        let digest = Context::new(&SHA256);
        let mut reader = Self {
            lines,
            header,
            digest,
            table: None,
            contents: Contents::default(),
            line: Vec::new(),
            is_at_end: false,
        };
        if !reader.next_line().map_err(unknown)? {
            return Err(SnapshotError::Unknown);
        }
        let version: Version = serde_json::from_slice(&reader.line).map_err(|_| SnapshotError::Unknown)?;
        if version.denizen_snapshot != FORMAT {
            return Err(SnapshotError::Format(version.denizen_snapshot));
        }
        reader.header = serde_json::from_slice(&reader.line).map_err(|_| SnapshotError::Unknown)?;
        reader.digest.update(&reader.line);
        Ok(reader)
    }

    /// What the snapshot says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How much was read.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The next rows, all of one table, at most so many; `None` after the last one, once all are proven to be right.
    ///
    /// # Errors
    /// When the snapshot is damaged.
    pub fn next_rows(&mut self, limit: usize) -> Result<Option<(Table, Vec<Row>)>, SnapshotError> {
        let mut rows = Vec::new();
        while !self.is_at_end {
            // A row is an array, everything else is an object.
            match self.peek()? {
                Some(b'[') => {
                    let Some(table) = &self.table else { return Err(SnapshotError::Damaged("a row has no table")) };
                    let width = table.columns.len();
                    self.next_line()?;
                    rows.push(read_row(&self.line, width).ok_or(SnapshotError::Damaged("a row is malformed"))?);
                    self.digest.update(&self.line);
                    if rows.len() == limit {
                        break;
                    }
                }
                _ if !rows.is_empty() => break,
                Some(_) => self.next_object()?,
                None => return Err(CUT),
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        if let Some((_, count)) = self.contents.tables.last_mut() {
            *count += rows.len() as u64;
        }
        Ok(self.table.clone().map(|table| (table, rows)))
    }

    /// Reads a snapshot to its end without returning its rows.
    ///
    /// # Errors
    /// When the snapshot is damaged.
    pub fn verify(mut self, mut on_rows: impl FnMut(&Table, &[Row])) -> Result<(Header, Contents), SnapshotError> {
        while let Some((table, rows)) = self.next_rows(super::ROWS_AT_ONCE as usize)? {
            on_rows(&table, &rows);
        }
        Ok((self.header, self.contents))
    }

    /// The beginning of a table, or the end.
    fn next_object(&mut self) -> Result<(), SnapshotError> {
        self.next_line()?;
        if let Ok(line) = serde_json::from_slice::<TableLine>(&self.line) {
            let table = line.table().ok_or_else(|| SnapshotError::Newer { release: self.header.release.clone() })?;
            self.digest.update(&self.line);
            self.contents.tables.push((table.name.clone(), 0));
            self.table = Some(table);
            return Ok(());
        }
        let end: EndLine =
            serde_json::from_slice(&self.line).map_err(|_| SnapshotError::Damaged("a line is malformed"))?;
        if end.rows != self.contents.rows() {
            return Err(SnapshotError::Damaged("rows are missing"));
        }
        if end.sha256 != hexadecimal(self.digest.clone().finish().as_ref()) {
            return Err(SnapshotError::Damaged("its checksum is wrong"));
        }
        if self.peek()?.is_some() {
            return Err(SnapshotError::Damaged("something follows its end"));
        }
        self.is_at_end = true;
        Ok(())
    }

    fn peek(&mut self) -> Result<Option<u8>, SnapshotError> {
        Ok(self.lines.fill_buf().map_err(damaged)?.first().copied())
    }

    /// Reads a line with its end; false after the last one.
    fn next_line(&mut self) -> Result<bool, SnapshotError> {
        self.line.clear();
        (&mut self.lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line).map_err(damaged)?;
        match self.line.last() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) => Err(CUT),
        }
    }
}

#[derive(serde::Deserialize)]
struct Version {
    denizen_snapshot: u32,
}

/// What zstd refuses is damaged; other errors are those of the device.
fn damaged(error: io::Error) -> SnapshotError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => CUT,
        io::ErrorKind::Other | io::ErrorKind::InvalidData
            if error.raw_os_error().is_none() && error.get_ref().is_none_or(|inner| !inner.is::<io::Error>()) =>
        {
            SnapshotError::Damaged("it cannot be decompressed")
        }
        _ => SnapshotError::Io(error),
    }
}

/// What cannot be read from its beginning is something else.
fn unknown(error: SnapshotError) -> SnapshotError {
    if matches!(error, SnapshotError::Damaged(_)) { SnapshotError::Unknown } else { error }
}
