//! Byte-order marks, and UTF-16, which spreadsheets and `PowerShell` write.

use std::io::{self, BufRead, Cursor, Read};

const UTF_8: &[u8] = b"\xef\xbb\xbf";
const UTF_16_LE: &[u8] = b"\xff\xfe";
const UTF_16_BE: &[u8] = b"\xfe\xff";
const CHUNK_BYTES: u64 = 16 * 1024;

/// The bytes after a byte-order mark of UTF-8; UTF-16 with a mark is converted to UTF-8. Others are unchanged.
pub(super) fn text<R: BufRead + Send + 'static>(mut reader: R) -> io::Result<Box<dyn Read + Send>> {
    let mut mark = Vec::new();
    reader.by_ref().take(UTF_8.len() as u64).read_to_end(&mut mark)?;
    if mark == UTF_8 {
        return Ok(Box::new(reader));
    }
    for (start, is_big_endian) in [(UTF_16_LE, false), (UTF_16_BE, true)] {
        if let Some(rest) = mark.strip_prefix(start) {
            let reader = Cursor::new(rest.to_vec()).chain(reader);
            return Ok(Box::new(Utf16 { reader, is_big_endian, odd: None, high: None, output: Vec::new(), used: 0 }));
        }
    }
    Ok(Box::new(Cursor::new(mark).chain(reader)))
}

/// Converts UTF-16. Unpaired surrogates become U+FFFD.
struct Utf16<R> {
    reader: R,
    is_big_endian: bool,
    /// The first byte of an incomplete code unit.
    odd: Option<u8>,
    /// A high surrogate whose low surrogate has not been read.
    high: Option<u16>,
    output: Vec<u8>,
    used: usize,
}

impl<R: Read> Utf16<R> {
    fn refill(&mut self) -> io::Result<()> {
        self.output.clear();
        self.used = 0;
        while self.output.is_empty() {
            let mut input = Vec::new();
            input.extend(self.odd.take());
            let read = self.reader.by_ref().take(CHUNK_BYTES).read_to_end(&mut input)?;
            let (pairs, rest) = input.as_chunks::<2>();
            self.odd = rest.first().copied();
            let mut units: Vec<u16> = self.high.take().into_iter().collect();
            let unit = |pair: &[u8; 2]| {
                if self.is_big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
            };
            units.extend(pairs.iter().map(unit));
            if read > 0 {
                self.high = units.pop_if(|last| (0xd800..0xdc00).contains(last));
            }
            let decoded = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
            self.output = decoded.collect::<String>().into_bytes();
            if read == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.output.len() {
            self.refill()?;
        }
        let rest = &self.output[self.used..];
        let bytes = rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&rest[..bytes]);
        self.used += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use super::text;

    fn decoded(bytes: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        text(BufReader::new(Cursor::new(bytes.to_vec()))).unwrap().read_to_end(&mut output).unwrap();
        output
    }

    #[test]
    fn marks_and_utf_16() {
        let content = "é😀,a\r\n".repeat(9_000);
        let little = content.encode_utf16().flat_map(u16::to_le_bytes);
        let big = content.encode_utf16().flat_map(u16::to_be_bytes);
        let marked = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
        assert_eq!(decoded(&marked(b"\xff\xfe", little.collect())), content.as_bytes());
        assert_eq!(decoded(&marked(b"\xfe\xff", big.collect())), content.as_bytes());
        assert_eq!(decoded(&marked(b"\xef\xbb\xbf", content.clone().into_bytes())), content.as_bytes());
        assert_eq!(decoded(content.as_bytes()), content.as_bytes());
    }

    #[test]
    fn short_and_broken_input() {
        assert_eq!(decoded(b""), b"");
        assert_eq!(decoded(b"\xff"), b"\xff");
        assert_eq!(decoded(b"\xff\xfea"), b"");
        assert_eq!(decoded(b"\xff\xfe\x3d\xd8"), "\u{fffd}".as_bytes());
        assert_eq!(decoded(b"\xff\xfe\x00\xdca\0"), "\u{fffd}a".as_bytes());
    }
}
