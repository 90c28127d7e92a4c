//! Lines of a stream, in bounded memory.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// U+FEFF in UTF-8: what Windows programs begin a text file with. It is not part of the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// Reads lines; one that is too long is skipped and told, not kept.
pub(crate) struct Lines<R> {
    reader: R,
    bytes_max: usize,
    /// How many lines were begun.
    number: u64,
    /// How many bytes were read.
    bytes_read: u64,
}

/// One line, without its end.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// A line within the bound.
    Whole(Vec<u8>),
    /// A line beyond the bound.
    TooLong,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, bytes_max, number: 0, bytes_read: 0 }
    }

    /// Accepts lines of this length from now on.
    pub(crate) fn accept(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    #[cfg(test)]
    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next line and its number, from 1; `None` at the end. The last line needs no line feed.
    pub(crate) async fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        let mut line = Vec::new();
        let mut is_too_long = false;
        let mut has_begun = false;
        loop {
            let buffer = self.reader.fill_buf().await?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let part = &buffer[..end.unwrap_or(buffer.len())];
            // Room for the carriage return before the line feed, and for a byte order mark before the first line.
            let extra_bytes_max = 1 + if self.number == 0 { BYTE_ORDER_MARK.len() } else { 0 };
            is_too_long |= line.len() + part.len() > self.bytes_max + extra_bytes_max;
            if !is_too_long {
                line.extend_from_slice(part);
            }
            let consumed = part.len() + usize::from(end.is_some());
            self.reader.consume(consumed);
            self.bytes_read += consumed as u64;
            has_begun |= consumed > 0;
            if end.is_some() || consumed == 0 {
                break;
            }
        }
        if !has_begun {
            return Ok(None);
        }
        if self.number == 0 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        self.number += 1;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        is_too_long |= line.len() > self.bytes_max;
        Ok(Some((self.number, if is_too_long { Line::TooLong } else { Line::Whole(line) })))
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines};
    use tokio::io::BufReader;

    async fn check(text: &str, expected: &[Option<&str>]) {
        // A small buffer, so that lines span several fills.
        for capacity in [1, 3, 64] {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, text.as_bytes()), 5);
            for (at, line) in expected.iter().enumerate() {
                let line = line.map_or(Line::TooLong, |line| Line::Whole(line.into()));
                assert_eq!(lines.next().await.unwrap(), Some((at as u64 + 1, line)), "{text:?}");
            }
            assert_eq!(lines.next().await.unwrap(), None, "{text:?}");
            assert_eq!(lines.bytes_read(), text.len() as u64);
        }
    }

    #[tokio::test]
    async fn lines_are_counted_and_bounded() {
        check("", &[]).await;
        check("a\nbc", &[Some("a"), Some("bc")]).await;
        check("a\r\n\n\r\nb\n", &[Some("a"), Some(""), Some(""), Some("b")]).await;
        check("12345\r\n123456\n1234567890\nx", &[Some("12345"), None, None, Some("x")]).await;
        check("123456\r\n", &[None]).await;
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_skipped_at_the_start_alone() {
        check("\u{FEFF}", &[Some("")]).await;
        check("\u{FEFF}a\nb", &[Some("a"), Some("b")]).await;
        check("\u{FEFF}12345\r\n\u{FEFF}a\n", &[Some("12345"), Some("\u{FEFF}a")]).await;
        check("\u{FEFF}123456\r\n", &[None]).await;
        check("\u{FEFF}\u{FEFF}\n", &[Some("\u{FEFF}")]).await;
    }
}
