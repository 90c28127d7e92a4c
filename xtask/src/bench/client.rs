//! HTTP/1.1 over one kept-alive socket: as little client as possible, so that the server is what is measured.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A connection.
pub(super) struct Client {
    stream: TcpStream,
    /// The last answer.
    answer: Vec<u8>,
    /// Where its body begins.
    body_at: usize,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(16 * 1024), body_at: 0 })
    }

    /// Sends a prepared request and reads the whole answer. Returns its status.
    pub(super) async fn send(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let head = loop {
            if let Some(head) = parse_head(&self.answer)? {
                break head;
            }
            self.read_more().await?;
        };
        self.body_at = head.length;
        match head.body {
            Body::Length(length) => {
                while self.answer.len() < head.length + length {
                    self.read_more().await?;
                }
            }
            Body::Chunked => {
                while !self.body().ends_with(b"0\r\n\r\n") {
                    self.read_more().await?;
                }
                let plain = join_chunks(self.body())?;
                self.answer.truncate(self.body_at);
                self.answer.extend(plain);
            }
        }
        Ok(head.status)
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &[u8] {
        &self.answer[self.body_at..]
    }

    /// The body of the last answer as JSON.
    pub(super) fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(self.body())
            .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(self.body())))
    }

    /// A header of the last answer.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let head = std::str::from_utf8(&self.answer[..self.body_at]).ok()?;
        let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        ensure!(self.answer.len() < ANSWER_BYTES_MAX, "an answer over {ANSWER_BYTES_MAX} bytes");
        ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the server closed the connection");
        Ok(())
    }
}

/// A request with a JSON body, or none.
pub(super) fn request(method: &str, target: &str, token: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let content = body.map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    let (content, body) = (content.unwrap_or_default(), body.unwrap_or_default());
    format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}{content}\r\n{body}").into_bytes()
}

/// A `POST` of form parameters.
pub(super) fn form_request(target: &str, parameters: &str) -> Vec<u8> {
    let length = parameters.len();
    let content = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n");
    format!("POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{content}\r\n{parameters}").into_bytes()
}

struct Head {
    status: u16,
    /// In bytes, the empty line included.
    length: usize,
    body: Body,
}

enum Body {
    Length(usize),
    Chunked,
}

/// The head of an answer, once all of it is there.
fn parse_head(answer: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(at) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..at]).context("a head that is not text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let status = status.context("an answer without a status")?;
    let mut body = Body::Length(0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body = Body::Length(value.trim().parse().context("a length that is no number")?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunked;
        }
    }
    Ok(Some(Head { status, length: at + 4, body }))
}

fn join_chunks(mut chunked: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    loop {
        let Some(at) = chunked.windows(2).position(|window| window == b"\r\n") else { bail!("a chunk without an end") };
        let size = std::str::from_utf8(&chunked[..at]).context("a chunk's size")?;
        let size = usize::from_str_radix(size.trim(), 16).context("a chunk's size")?;
        if size == 0 {
            return Ok(plain);
        }
        let rest = &chunked[at + 2..];
        ensure!(rest.len() >= size + 2, "a chunk that is cut");
        plain.extend_from_slice(&rest[..size]);
        chunked = &rest[size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, join_chunks, parse_head};

    #[test]
    fn heads_are_read_once_whole() {
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n").unwrap().is_none());
        let head = parse_head(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").unwrap().unwrap();
        assert_eq!((head.status, head.length), (200, 38));
        assert!(matches!(head.body, Body::Length(3)));
        assert!(parse_head(b"nonsense\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_are_joined() {
        assert_eq!(join_chunks(b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n").unwrap(), b"abcd");
        assert!(join_chunks(b"5\r\nabc").is_err());
    }
}
