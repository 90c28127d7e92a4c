//! Server-sent events (HTML, §9.2), read incrementally and with a limit.

/// Longer than any event of the feed.
const EVENT_BYTES_MAX: usize = 16 * 1024;

/// An event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) data: String,
}

/// An event exceeds the limit, or is not UTF-8.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event stream is malformed")]
pub(super) struct Malformed;

/// Splits chunks into events.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The line that has begun.
    line: Vec<u8>,
    /// Whether the last line ended with a carriage return, so that a line feed belongs to it.
    after_cr: bool,
    event: Event,
}

impl Parser {
    /// Reads a chunk and passes on the events that it completes.
    pub(super) fn push(&mut self, chunk: &[u8], mut completed: impl FnMut(Event)) -> Result<(), Malformed> {
        for &byte in chunk {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    if let Some(event) = self.end_line()? {
                        completed(event);
                    }
                }
                _ => {
                    self.after_cr = false;
                    if self.line.len() + self.event.data.len() >= EVENT_BYTES_MAX {
                        return Err(Malformed);
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, Malformed> {
        if self.line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Ok(Some(event).filter(|event| !event.data.is_empty()));
        }
        let line = std::str::from_utf8(&self.line).map_err(|_| Malformed)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, `id` (the cursor is in the data), `retry` and fields of later releases.
            _ => {}
        }
        self.line.clear();
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT_BYTES_MAX, Event, Malformed, Parser};

    fn event(kind: &str, data: &str) -> Event {
        Event { kind: kind.to_owned(), data: data.to_owned() }
    }

    fn parse(chunks: &[&[u8]]) -> Vec<Event> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for chunk in chunks {
            parser.push(chunk, |event| events.push(event)).unwrap();
        }
        events
    }

    #[test]
    fn events_are_read() {
        let text = b"retry: 2000\n\n: a comment\nid: 1\nevent: revocation\ndata: {}\n\ndata:a\ndata: b\n\n";
        let expected = [event("revocation", "{}"), event("", "a\nb")];
        assert_eq!(parse(&[text]), expected);
    }

    #[test]
    fn chunks_and_line_ends_do_not_matter() {
        let expected = [event("heartbeat", "é")];
        for text in ["id: 1\nevent: heartbeat\ndata: é\n\n", "id: 1\r\nevent: heartbeat\r\ndata: é\r\n\r\n"] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(parse(&chunks), expected, "{text:?}");
        }
    }

    #[test]
    fn endless_events_and_lines_are_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'x'; EVENT_BYTES_MAX + 1], |_| ()), Err(Malformed));
        let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();
        let mut parser = Parser::default();
        assert!((0..20).any(|_| parser.push(&line, |_| ()).is_err()));
    }
}
