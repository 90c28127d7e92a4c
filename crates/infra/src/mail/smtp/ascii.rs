//! Replies of servers that do not write UTF-8.
//!
//! lettre fails on a reply that is not UTF-8, such as a Latin-1 greeting. RFC 5321 §2.4 wants ASCII; only the code and
//! the keywords of a reply matter, so other bytes are replaced by `?` before lettre reads them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The first byte of a TLS handshake record (RFC 8446 §5.1). No SMTP command begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection whose plaintext replies are ASCII.
#[derive(Debug)]
pub(super) struct AsciiReplies {
    stream: TcpStream,
    /// Whether STARTTLS may still follow; what follows it is passed through unchanged.
    awaits_tls: bool,
    is_encrypted: bool,
}

impl AsciiReplies {
    pub(super) fn new(stream: TcpStream, awaits_tls: bool) -> Self {
        Self { stream, awaits_tls, is_encrypted: false }
    }
}

impl AsyncRead for AsciiReplies {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if !self.is_encrypted {
            for byte in buf.filled_mut().iter_mut().skip(start).filter(|byte| !byte.is_ascii()) {
                *byte = b'?';
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for AsciiReplies {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_encrypted |= self.awaits_tls && bytes.first() == Some(&TLS_HANDSHAKE);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for AsciiReplies {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
