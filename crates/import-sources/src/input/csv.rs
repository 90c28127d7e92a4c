//! CSV (RFC 4180) with a header, as databases and spreadsheets write it.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::{Map, Value};

use super::{Broken, Entry};
use crate::RECORD_BYTES_MAX;

/// The maximum number of columns.
const COLUMNS_MAX: usize = 4_096;
/// Values that databases write for NULL.
const NULLS: [&str; 2] = ["NULL", "\\N"];

/// How CSV files are read.
#[derive(Default)]
pub(crate) struct Format<'a> {
    /// Columns of files without a header.
    pub(crate) columns: Option<&'a [&'a str]>,
    pub(crate) delimiter: Option<u8>,
    pub(crate) escape: Option<u8>,
    /// Whether a backslash before a quotation mark is detected.
    pub(crate) detects_escape: bool,
}

pub(super) enum OpenError {
    Io(io::Error),
    Header(String),
}

pub(super) struct Rows<R> {
    reader: R,
    core: Reader,
    columns: Vec<String>,
    /// Whether rows must have all columns. Rows of files without a header may have fewer.
    is_exact: bool,
    fields: Vec<u8>,
    ends: Vec<usize>,
    line: u64,
}

enum Raw {
    Fields(usize, usize),
    TooLong,
    End,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn open(reader: R, head: &[u8], format: &Format<'_>) -> Result<Self, OpenError> {
        let mut core = ReaderBuilder::new();
        core.delimiter(format.delimiter.unwrap_or_else(|| delimiter(head)));
        let escaped = format.detects_escape && head.windows(2).any(|pair| pair == b"\\\"");
        core.escape(format.escape.or(escaped.then_some(b'\\')));
        let (fields, ends) = (vec![0; 4096], vec![0; 64]);
        let mut rows = Self { reader, core: core.build(), columns: Vec::new(), is_exact: true, fields, ends, line: 1 };
        if let Some(columns) = format.columns {
            rows.columns = columns.iter().map(|name| (*name).to_owned()).collect();
            rows.is_exact = false;
            return Ok(rows);
        }
        match rows.read().map_err(OpenError::Io)? {
            Raw::End => Ok(rows),
            Raw::TooLong => Err(OpenError::Header("the first line is too long for the names of columns".to_owned())),
            Raw::Fields(bytes, count) => {
                let names = rows.texts(bytes, count).map_err(|_| {
                    OpenError::Header("the file is not UTF-8; convert it first, for example with iconv".to_owned())
                })?;
                rows.columns = names.into_iter().map(|name| name.trim().to_owned()).collect();
                let is_twice = |(at, name): (usize, &String)| !name.is_empty() && rows.columns[..at].contains(name);
                match rows.columns.iter().enumerate().find(|column| is_twice(*column)) {
                    Some((_, name)) => Err(OpenError::Header(format!("two columns have the name {name}"))),
                    None => Ok(rows),
                }
            }
        }
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn next(&mut self) -> Option<io::Result<Entry>> {
        if let Err(error) = self.skip_line_ends() {
            return Some(Err(error));
        }
        let line = self.line;
        let object = match self.read() {
            Err(error) => return Some(Err(error)),
            Ok(Raw::End) => return None,
            Ok(Raw::TooLong) => Err(Broken::TooLong),
            Ok(Raw::Fields(bytes, count)) => self.object(bytes, count).map_err(Broken::Invalid),
        };
        Some(Ok(Entry { line, kind: "", object }))
    }

    /// Skips blank lines here, so that the line number of the next record is known.
    fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let ends = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.line += line_feeds(&buffer[..ends]);
            self.reader.consume(ends);
            if ends == 0 {
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> io::Result<Raw> {
        let (mut bytes, mut count, mut is_too_long) = (0, 0, false);
        loop {
            let input = self.reader.fill_buf()?;
            let (result, used, written, ended) =
                self.core.read_record(input, &mut self.fields[bytes..], &mut self.ends[count..]);
            self.line += line_feeds(&input[..used]);
            self.reader.consume(used);
            bytes += written;
            count += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() < RECORD_BYTES_MAX => {
                    let doubled = (self.fields.len() * 2).min(RECORD_BYTES_MAX);
                    self.fields.resize(doubled, 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < COLUMNS_MAX => {
                    self.ends.resize((self.ends.len() * 2).min(COLUMNS_MAX), 0);
                }
                // Skips to the end of the record.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    is_too_long = true;
                    bytes = 0;
                    count = 0;
                }
                ReadRecordResult::Record if is_too_long => return Ok(Raw::TooLong),
                ReadRecordResult::Record => return Ok(Raw::Fields(bytes, count)),
                ReadRecordResult::End => return Ok(Raw::End),
            }
        }
    }

    fn texts(&self, bytes: usize, count: usize) -> Result<Vec<&str>, usize> {
        let mut start = 0;
        let mut texts = Vec::with_capacity(count);
        for (at, end) in self.ends[..count].iter().enumerate() {
            let field = self.fields[..bytes].get(start..*end).unwrap_or_default();
            texts.push(std::str::from_utf8(field).map_err(|_| at)?);
            start = *end;
        }
        Ok(texts)
    }

    fn object(&self, bytes: usize, count: usize) -> Result<Map<String, Value>, String> {
        let texts = self.texts(bytes, count).map_err(|at| {
            let column = self.columns.get(at).map_or("", String::as_str);
            format!("column {column} is not UTF-8; convert the file first, for example with iconv")
        })?;
        if self.is_exact && texts.len() != self.columns.len() {
            return Err(format!("{} columns instead of {}", texts.len(), self.columns.len()));
        }
        let named = self
            .columns
            .iter()
            .zip(texts)
            .filter(|(name, text)| !name.is_empty() && !text.is_empty() && !NULLS.contains(text));
        Ok(named.map(|(name, text)| (name.clone(), Value::from(text))).collect())
    }
}

fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// The separator that occurs most often in the first line, outside quotation marks.
fn delimiter(head: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for byte in head {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            _ if is_quoted => {}
            byte => counts.iter_mut().filter(|(separator, _)| separator == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // The first one if several are equally frequent.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| *separator)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{Format, OpenError, Rows};
    use crate::RECORD_BYTES_MAX;
    use crate::input::Broken;

    fn rows(text: &[u8], format: &Format<'_>) -> Vec<(u64, Result<String, Broken>)> {
        let Ok(mut rows) = Rows::open(Cursor::new(text.to_vec()), text, format) else { panic!("no header") };
        let mut read = Vec::new();
        while let Some(entry) = rows.next() {
            let entry = entry.unwrap();
            read.push((entry.line, entry.object.map(|object| serde_json::to_string(&object).unwrap())));
        }
        read
    }

    #[test]
    fn quotes_line_breaks_and_nulls() {
        let read = rows(b"a,b,c\r\n1,\"x \"\"y\"\"\r\nz\",NULL\r\n\r\n,\\N,3\r\n", &Format::default());
        assert_eq!(read[0], (2, Ok(r#"{"a":"1","b":"x \"y\"\r\nz"}"#.to_owned())));
        assert_eq!(read[1].1, Ok(r#"{"c":"3"}"#.to_owned()));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn separators_and_escapes_are_detected() {
        assert_eq!(rows(b"a;b\n1;2,3\n", &Format::default())[0].1, Ok(r#"{"a":"1","b":"2,3"}"#.to_owned()));
        assert_eq!(rows(b"a\tb\n1\t2\n", &Format::default())[0].1, Ok(r#"{"a":"1","b":"2"}"#.to_owned()));
        let php = Format { detects_escape: true, ..Format::default() };
        assert_eq!(rows(b"a,b\n1,\"x\\\"y\"\n", &php)[0].1, Ok(r#"{"a":"1","b":"x\"y"}"#.to_owned()));
    }

    #[test]
    fn broken_rows_do_not_affect_others() {
        let read = rows(b"a,b\n1\nx,\xe9\n3,4\n", &Format::default());
        assert_eq!(read[0].1, Err(Broken::Invalid("1 columns instead of 2".to_owned())));
        assert!(matches!(&read[1].1, Err(Broken::Invalid(reason)) if reason.starts_with("column b is not UTF-8")));
        assert!(read[2].1.is_ok());
    }

    #[test]
    fn long_rows_are_refused_and_skipped() {
        let text = [b"a,b\n1,".as_slice(), &vec![b'x'; RECORD_BYTES_MAX + 10], b"\n3,4\n"].concat();
        let read = rows(&text, &Format::default());
        assert_eq!(read[0].1, Err(Broken::TooLong));
        assert_eq!(read[1].1, Ok(r#"{"a":"3","b":"4"}"#.to_owned()));
    }

    #[test]
    fn headers_are_checked() {
        let open = |text: &[u8]| Rows::open(Cursor::new(text.to_vec()), text, &Format::default());
        assert!(matches!(open(b"a,a\n"), Err(OpenError::Header(reason)) if reason.contains("name a")));
        assert!(matches!(open(b"\xe9,a\n"), Err(OpenError::Header(reason)) if reason.contains("UTF-8")));
        assert!(open(b"").is_ok());
    }
}
