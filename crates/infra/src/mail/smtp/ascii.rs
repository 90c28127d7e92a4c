//! Replies of servers that do not write UTF-8.
//!
//! lettre fails on a reply that is not UTF-8, such as a Latin-1 greeting. RFC 5321 §2.4 wants ASCII; only the code and
//! the keywords of a reply matter, so other bytes are replaced by `?` before lettre reads them.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The first byte of a TLS handshake record (RFC 8446 §5.1). No SMTP command begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection whose replies are ASCII, as long as they are not encrypted by what reads them.
#[derive(Debug)]
pub(super) struct AsciiReplies<S> {
    stream: S,
    peer: SocketAddr,
    /// Whether STARTTLS may still follow; what follows it is passed through unchanged.
    awaits_tls: bool,
    is_encrypted: bool,
}

impl<S> AsciiReplies<S> {
    pub(super) fn new(stream: S, peer: SocketAddr, awaits_tls: bool) -> Self {
        Self { stream, peer, awaits_tls, is_encrypted: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AsciiReplies<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for AsciiReplies<S> {
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

impl<S: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> AsyncTokioStream for AsciiReplies<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
