//! A WebSocket that only listens: as little client as possible, so that the server is what is measured.

use std::net::SocketAddr;

use anyhow::{bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The example of RFC 6455 §1.3; nobody checks the answer to it here.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;

/// An open WebSocket.
pub(super) struct WebSocket {
    stream: TcpStream,
    read: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
}

impl WebSocket {
    /// Opens one.
    pub(super) async fn open(address: SocketAddr, target: &str, token: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut read = Vec::new();
        let head = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(stream.read_buf(&mut read).await? > 0, "the server closed the connection");
        };
        ensure!(read.starts_with(b"HTTP/1.1 101"), "no WebSocket: {}", String::from_utf8_lossy(&read[..head]));
        Ok(Self { stream, read, at: head })
    }

    /// The next text; pings, which nobody answers within the time of a measurement, are passed over.
    pub(super) async fn text(&mut self) -> anyhow::Result<&[u8]> {
        loop {
            let Some((kind, from, to)) = frame(&self.read[self.at..]) else {
                self.read.drain(..self.at);
                self.at = 0;
                ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server closed the connection");
                continue;
            };
            let (from, to) = (self.at + from, self.at + to);
            self.at = to;
            match kind {
                TEXT => return Ok(&self.read[from..to]),
                CLOSE => bail!("closed: {}", String::from_utf8_lossy(&self.read[from..to])),
                _ => {}
            }
        }
    }
}

/// The kind of the first frame, and where its payload is, once all of it is there (RFC 6455 §5.2, unmasked).
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&kind, &length) = (bytes.first()?, bytes.get(1)?);
    let (from, length) = match length {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let to = from + usize::try_from(length).ok()?;
    (bytes.len() >= to).then_some((kind & 0xf, from, to))
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn a_frame_is_read_once_whole() {
        assert_eq!(frame(b"\x81\x02hi"), Some((1, 2, 4)));
        assert_eq!(frame(b"\x81\x02h"), None);
        assert_eq!(frame(b"\x81\x7e\x00\x02hi"), Some((1, 4, 6)));
        assert_eq!(frame(b"\x81"), None);
    }
}
