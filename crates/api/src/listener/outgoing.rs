//! The body of a response on its way out, in pieces that are small enough to see whether the peer takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Buf, Frame, SizeHint};

use super::stall::{self, Progress};
use crate::middleware::Exchange;

/// The largest piece. A stream of HTTP/2 that does not take one in time is given up.
const PIECE_BYTES_MAX: usize = 32 * 1024;

/// The body of a response.
pub(super) struct Outgoing {
    body: Body,
    /// What is left of the last chunk.
    rest: Bytes,
    exchange: Arc<Exchange>,
    /// Set for a stream of HTTP/2.
    progress: Option<Arc<Progress>>,
}

impl Outgoing {
    /// The body of the response of an exchange, made by the task that sends it.
    pub(super) fn new(body: Body, exchange: Arc<Exchange>) -> Self {
        Self { body, rest: Bytes::new(), exchange, progress: stall::of_this_stream() }
    }
}

impl HttpBody for Outgoing {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        if let Some(progress) = &self.progress {
            progress.set_taken();
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap_or_default();
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                },
            }
        }
        let length = self.rest.len().min(PIECE_BYTES_MAX);
        let bytes = self.rest.split_to(length);
        if let Some(progress) = &self.progress {
            progress.set_offered();
        }
        Poll::Ready(Some(Ok(Frame::data(Piece::new(bytes, Arc::clone(&self.exchange))))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let of_body = HttpBody::size_hint(&self.body);
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// Bytes that the transport has yet to write. Until then the exchange is not over.
pub(super) struct Piece {
    bytes: Bytes,
    exchange: Arc<Exchange>,
}

impl Piece {
    fn new(bytes: Bytes, exchange: Arc<Exchange>) -> Self {
        exchange.connection().add_unsent();
        Self { bytes, exchange }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.exchange.connection().remove_unsent();
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
