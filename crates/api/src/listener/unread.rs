//! The body of a request that was answered before the body was read: what is there of it is read and discarded, so that
//! the next request can follow on the connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use tokio::time::timeout;

/// How much of a body is read to save the connection, and how long the answer waits for it.
const DISCARDED_BYTES_MAX: u64 = 64 * 1024;
const DISCARDED_WITHIN: Duration = Duration::from_millis(50);

/// Where the body of one request goes when its reader drops it unread.
#[derive(Clone)]
pub(super) struct Unread {
    body: Arc<Mutex<Option<Incoming>>>,
    /// The client sends the body only when it is asked for (RFC 9110 §10.1.1).
    is_awaited: bool,
}

impl Unread {
    /// For the body of this request.
    pub(super) fn of<B>(request: &http::Request<B>) -> Self {
        Self { body: Arc::default(), is_awaited: request.headers().contains_key(http::header::EXPECT) }
    }

    /// The body, which comes back here when it is not read to its end.
    pub(super) fn watch(&self, body: Incoming) -> WatchedBody {
        WatchedBody { body: Some(body), unread: self.clone() }
    }

    /// Reads what is left of the body, if that is little and there; `false` when something may still come.
    pub(super) async fn drain(self) -> bool {
        let left = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = left else { return true };
        if self.is_awaited || body.size_hint().lower() > DISCARDED_BYTES_MAX {
            return false;
        }
        let discarding = async {
            let mut discarded = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
                if discarded > DISCARDED_BYTES_MAX {
                    return false;
                }
            }
            true
        };
        timeout(DISCARDED_WITHIN, discarding).await.unwrap_or(false)
    }
}

/// The body of a request on its way to its reader.
pub(super) struct WatchedBody {
    /// `None` once it was read to its end, or failed.
    body: Option<Incoming>,
    unread: Unread,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.unread.body.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
