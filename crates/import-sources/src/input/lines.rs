//! Newline-delimited JSON.

use std::io::{self, BufRead};

use super::{Bounded, Entry};

/// One object on each line. A broken line does not affect the others.
pub(super) struct JsonLines<R> {
    reader: R,
    line: u64,
}

impl<R: BufRead> JsonLines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: 0 }
    }

    pub(super) fn next(&mut self) -> Option<io::Result<Entry>> {
        loop {
            let line = match self.read_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            self.line += 1;
            if line.is_too_long || !line.bytes.trim_ascii().is_empty() {
                return Some(Ok(Entry { line: self.line, kind: "", object: line.object() }));
            }
        }
    }

    fn read_line(&mut self) -> io::Result<Option<Bounded>> {
        let mut line = Bounded::default();
        let mut has_read = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(has_read.then_some(line));
            }
            has_read = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            line.extend(&buffer[..end.unwrap_or(buffer.len())]);
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}
