//! Objects at given paths of a JSON document, which is streamed.

use std::io::{self, BufRead};

use super::{Bounded, Entry, Paths};

/// The maximum nesting depth of arrays and objects that are searched.
const DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Array,
    Object,
}

/// The objects at some paths of a document, in its order.
pub(super) struct Elements<R> {
    reader: R,
    line: u64,
    paths: Paths,
    frames: Vec<Frame>,
    /// The current name in each frame; `*` in an array.
    path: Vec<String>,
    has_ended: bool,
}

impl<R: BufRead> Elements<R> {
    pub(super) fn new(reader: R, paths: Paths) -> Self {
        Self { reader, line: 1, paths, frames: Vec::new(), path: Vec::new(), has_ended: false }
    }

    pub(super) fn next(&mut self) -> Option<io::Result<Entry>> {
        if self.has_ended {
            return None;
        }
        let next = self.advance();
        if !matches!(next, Ok(Some(_))) {
            self.has_ended = true;
        }
        next.transpose()
    }

    fn advance(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(byte) = self.next_significant()? else {
                return if self.frames.is_empty() { Ok(None) } else { Err(self.broken("unexpected end of file")) };
            };
            match (byte, self.frames.last().copied()) {
                (b',', Some(_)) => self.skip(),
                (b']', Some(Frame::Array)) | (b'}', Some(Frame::Object)) => {
                    self.skip();
                    self.frames.pop();
                    self.path.pop();
                }
                (b'"', Some(Frame::Object)) => {
                    let name = self.name(None)?;
                    if let Some(last) = self.path.last_mut() {
                        *last = name;
                    }
                    if let Some(entry) = self.value()? {
                        return Ok(Some(entry));
                    }
                }
                (_, Some(Frame::Object)) => return Err(self.broken("expected a name")),
                (b']' | b'}' | b':' | b',', _) => return Err(self.broken("expected a value")),
                _ => {
                    if let Some(entry) = self.value()? {
                        return Ok(Some(entry));
                    }
                }
            }
        }
    }

    /// Reads a value: skips it, descends into it, or returns it.
    fn value(&mut self) -> io::Result<Option<Entry>> {
        let Some(byte) = self.next_significant()? else {
            return Err(self.broken("unexpected end of file"));
        };
        match byte {
            b'{' => match self.wanted() {
                Some(kind) => self.capture(kind),
                None => self.enter(Frame::Object).map(|()| None),
            },
            b'[' => self.enter(Frame::Array).map(|()| None),
            _ => self.copy_value(None).map(|()| None),
        }
    }

    fn enter(&mut self, frame: Frame) -> io::Result<()> {
        if self.frames.len() >= DEPTH_MAX {
            return Err(self.broken("nested too deeply"));
        }
        self.skip();
        self.frames.push(frame);
        self.path.push(if frame == Frame::Array { "*".to_owned() } else { String::new() });
        Ok(())
    }

    /// The name of the array, if objects at the current path are requested.
    fn wanted(&self) -> Option<&'static str> {
        let path = self.paths.iter().find(|path| **path == self.path)?;
        Some(path.iter().rev().find(|name| **name != "*").copied().unwrap_or_default())
    }

    /// Whether an array with this name in the object at the current path contains requested objects.
    fn is_container(&self, name: &str) -> bool {
        self.paths.iter().any(|path| match path.strip_prefix_of(&self.path) {
            Some(rest) => rest.len() >= 2 && rest[0] == name && rest[1] == "*",
            None => false,
        })
    }

    /// Returns the object; or descends into it, if it contains requested objects itself.
    fn capture(&mut self, kind: &'static str) -> io::Result<Option<Entry>> {
        let line = self.line;
        let mut bytes = Bounded::default();
        self.copy(&mut bytes);
        loop {
            match self.next_significant()? {
                Some(b'}') => {
                    self.copy(&mut bytes);
                    return Ok(Some(Entry { line, kind, object: bytes.object() }));
                }
                Some(b',') => self.copy(&mut bytes),
                Some(b'"') => {
                    let name = self.name(Some(&mut bytes))?;
                    if self.next_significant()? == Some(b'[') && self.is_container(&name) {
                        self.frames.push(Frame::Object);
                        self.path.push(name);
                        self.enter(Frame::Array)?;
                        return Ok(None);
                    }
                    self.copy_value(Some(&mut bytes))?;
                }
                Some(_) => return Err(self.broken("expected a name")),
                None => return Err(self.broken("unexpected end of file")),
            }
        }
    }

    /// Reads a name and the colon after it.
    fn name(&mut self, sink: Option<&mut Bounded>) -> io::Result<String> {
        let mut name = Bounded::default();
        self.copy_string(&mut name)?;
        match self.next_significant()? {
            Some(b':') => {}
            Some(_) => return Err(self.broken("expected a colon")),
            None => return Err(self.broken("unexpected end of file")),
        }
        self.skip();
        if let Some(sink) = sink {
            name.bytes.iter().for_each(|byte| sink.push(*byte));
            sink.push(b':');
        }
        serde_json::from_slice(&name.bytes).map_err(|_| self.broken("an invalid name"))
    }

    fn copy_value(&mut self, sink: Option<&mut Bounded>) -> io::Result<()> {
        let mut unused = Bounded::default();
        let is_kept = sink.is_some();
        let sink = sink.unwrap_or(&mut unused);
        let mut depth = 0_usize;
        loop {
            let Some(byte) = self.peek()? else {
                return if depth == 0 { Ok(()) } else { Err(self.broken("unexpected end of file")) };
            };
            match byte {
                b'"' => self.copy_string(sink)?,
                b'{' | b'[' => {
                    depth += 1;
                    self.copy(sink);
                }
                b'}' | b']' | b',' if depth == 0 => return Ok(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.copy(sink);
                }
                _ if depth == 0 && byte.is_ascii_whitespace() => return Ok(()),
                _ => self.copy(sink),
            }
            if !is_kept {
                sink.bytes.clear();
            }
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                return Ok(());
            }
        }
    }

    fn copy_string(&mut self, sink: &mut Bounded) -> io::Result<()> {
        self.copy(sink);
        loop {
            match self.peek()? {
                None => return Err(self.broken("unexpected end of file")),
                Some(b'"') => {
                    self.copy(sink);
                    return Ok(());
                }
                Some(b'\\') => {
                    self.copy(sink);
                    if self.peek()?.is_some() {
                        self.copy(sink);
                    }
                }
                Some(_) => self.copy(sink),
            }
        }
    }

    fn next_significant(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(byte) if byte.is_ascii_whitespace() => self.skip(),
                other => return Ok(other),
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        self.reader.fill_buf().map(|buffer| buffer.first().copied())
    }

    /// Consumes the peeked byte.
    fn skip(&mut self) {
        if let Ok([byte, ..]) = self.reader.fill_buf() {
            self.line += u64::from(*byte == b'\n');
            self.reader.consume(1);
        }
    }

    fn copy(&mut self, sink: &mut Bounded) {
        // The byte was peeked, so the buffer is not empty.
        if let Ok([byte, ..]) = self.reader.fill_buf() {
            self.line += u64::from(*byte == b'\n');
            sink.push(*byte);
            self.reader.consume(1);
        }
    }

    fn broken(&self, reason: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("invalid JSON on line {}: {reason}", self.line))
    }
}

trait PathRest {
    /// The rest of the path after `start`; `None` if the path does not begin with `start`.
    fn strip_prefix_of(&self, start: &[String]) -> Option<&[&'static str]>;
}

impl PathRest for &'static [&'static str] {
    fn strip_prefix_of(&self, start: &[String]) -> Option<&[&'static str]> {
        let (head, rest) = self.split_at_checked(start.len())?;
        (head == start).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Broken, Paths};
    use super::Elements;
    use crate::RECORD_BYTES_MAX;

    type Found = Vec<(u64, &'static str, Result<String, Broken>)>;

    fn read(text: &str, paths: Paths) -> (Found, Option<String>) {
        let mut elements = Elements::new(Cursor::new(text.as_bytes().to_vec()), paths);
        let mut found = Vec::new();
        while let Some(entry) = elements.next() {
            match entry {
                Ok(entry) => {
                    let object = entry.object.map(|object| serde_json::to_string(&object).unwrap());
                    found.push((entry.line, entry.kind, object));
                }
                Err(error) => return (found, Some(error.to_string())),
            }
        }
        (found, None)
    }

    const ANY: Paths = &[&[], &["*"], &["users", "*"]];

    #[test]
    fn arrays_documents_and_sequences() {
        let expected = |lines: [u64; 2], kind| {
            let objects = [r#"{"a":"]}\"","b":{"c":[1]}}"#, r#"{"a":2}"#];
            lines.into_iter().zip(objects).map(|(line, text)| (line, kind, Ok(text.to_owned()))).collect::<Vec<_>>()
        };
        let first = r#"{"a":"]}\"","b":{"c":[1]}}"#;
        assert_eq!(read(&format!("[{first},\n {{\"a\":2}}]"), ANY), (expected([1, 2], ""), None));
        assert_eq!(read(&format!("{first}\n{{\"a\" : 2}}\n"), ANY), (expected([1, 2], ""), None));
        let document = format!(r#"{{"kind":"x","more":{{"users":1}},"users":[{first},{{"a":2}}],"end":[{{}}]}}"#);
        assert_eq!(read(&document, ANY), (expected([1, 1], "users"), None));
    }

    #[test]
    fn nested_paths() {
        let paths: Paths = &[&["orgs", "*", "people", "*"], &["orgs", "*", "links", "*"]];
        let (found, error) =
            read(r#"{"orgs":[{"id":1,"people":[{"a":1}],"links":[{"b":1}]},{"people":[{"a":2}]}]}"#, paths);
        let found: Vec<_> = found.into_iter().map(|(_, kind, object)| (kind, object.unwrap())).collect();
        let expected = [("people", r#"{"a":1}"#), ("links", r#"{"b":1}"#), ("people", r#"{"a":2}"#)];
        assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
        assert_eq!(error, None);
    }

    #[test]
    fn a_broken_document_is_read_up_to_the_fault() {
        let (found, error) = read("[{\"a\":1},\n{\"a\":", ANY);
        assert_eq!(found.len(), 1);
        assert_eq!(error.unwrap(), "invalid JSON on line 2: unexpected end of file");
        assert!(read("{\"a\" 1}", ANY).1.is_some());
        assert!(read(&"[".repeat(100), ANY).1.unwrap().contains("deeply"));
        assert_eq!(read("", ANY), (Vec::new(), None));
    }

    #[test]
    fn long_objects_are_refused_and_skipped() {
        let long = "x".repeat(RECORD_BYTES_MAX);
        let (found, error) = read(&format!("[{{\"a\":\"{long}\"}},{{\"a\":1}}]"), ANY);
        assert_eq!(found[0].2, Err(Broken::TooLong));
        assert_eq!(found[1].2, Ok(r#"{"a":1}"#.to_owned()));
        assert_eq!(error, None);
    }
}
