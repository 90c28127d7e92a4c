//! A connection whose first bytes come in time.
//!
//! To tell HTTP/1.1 from HTTP/2, hyper first reads what may be the preface of the latter, and sets that reading
//! no bound: a client that connects and stays silent would hold its place for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::limiter::OpenConnection;

/// How every HTTP/2 connection begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails unless it soon tells which version of HTTP it speaks; hyper's own bounds hold from there.
pub(super) struct Prompt<S> {
    stream: S,
    /// What is left of the preface, as long as the stream agrees with it.
    undecided: &'static [u8],
    deadline: Option<Pin<Box<Sleep>>>,
    /// A WebSocket outlives what hyper knows as the connection, and is counted until the stream is closed.
    _connection: OpenConnection,
}

impl<S> Prompt<S> {
    pub(super) fn new(stream: S, within: Duration, connection: OpenConnection) -> Self {
        Self { stream, undecided: PREFACE, deadline: Some(Box::pin(sleep(within))), _connection: connection }
    }

    fn observe(&mut self, bytes: &[u8]) {
        match self.undecided.strip_prefix(bytes) {
            Some(rest) if !rest.is_empty() => self.undecided = rest,
            _ => self.deadline = None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(deadline) = self.deadline.as_mut() else { return read };
        if read.is_pending() {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.observe(&buffer.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
