//! Streams of HTTP/2 whose peer takes nothing of the response are given up.
//!
//! A peer that gives a stream no window stops it without stopping the connection, and hyper waits for as long as the
//! connection lives. So each stream runs in a task that knows when a piece of its response was offered and is not taken.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::{Sleep, sleep};

/// How long a peer may take to make room for the next piece of a response.
pub(super) const TAKEN_WITHIN: Duration = Duration::from_secs(30);

tokio::task_local! {
    static STREAM: Arc<Progress>;
}

/// How far the response of a stream is: odd while a piece is offered to the peer, and different for each piece.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU64);

impl Progress {
    /// A piece is offered.
    pub(super) fn set_offered(&self) {
        let at = self.0.load(Ordering::Relaxed);
        self.0.store((at | 1).wrapping_add(if at % 2 == 1 { 2 } else { 0 }), Ordering::Relaxed);
    }

    /// The peer has taken what was offered, and the next piece is looked for.
    pub(super) fn set_taken(&self) {
        let at = self.0.load(Ordering::Relaxed);
        self.0.store(at + at % 2, Ordering::Relaxed);
    }

    /// Which piece is offered, if one is.
    fn offered(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| at % 2 == 1)
    }
}

/// The progress of the stream that the present task sends, if it sends one of HTTP/2.
pub(super) fn of_this_stream() -> Option<Arc<Progress>> {
    STREAM.try_with(Arc::clone).ok()
}

/// Runs the streams of HTTP/2, each in a task of its own.
#[derive(Clone, Copy)]
pub(super) struct StreamExecutor {
    taken_within: Duration,
}

impl StreamExecutor {
    pub(super) fn new() -> Self {
        Self { taken_within: TAKEN_WITHIN }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        tokio::spawn(run(stream, self.taken_within));
    }
}

/// Runs a stream to its end, or until its peer has not taken a piece in time: dropping it resets it.
async fn run(stream: impl Future<Output = ()>, taken_within: Duration) {
    let progress = Arc::new(Progress::default());
    let mut stream = pin!(STREAM.scope(Arc::clone(&progress), stream));
    let mut deadline: Option<(u64, Pin<Box<Sleep>>)> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(offered) = progress.offered() else {
            deadline = None;
            return Poll::Pending;
        };
        if deadline.as_ref().is_none_or(|(piece, _)| *piece != offered) {
            deadline = Some((offered, Box::pin(sleep(taken_within))));
        }
        let is_over = deadline.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if is_over {
            tracing::debug!("stream reset: the client does not read the response");
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_told_apart() {
        let progress = Progress::default();
        assert_eq!(progress.offered(), None);
        progress.set_offered();
        let first = progress.offered().unwrap();
        progress.set_offered();
        let second = progress.offered().unwrap();
        assert_ne!(first, second);
        progress.set_taken();
        assert_eq!(progress.offered(), None);
        progress.set_taken();
        progress.set_offered();
        assert!(progress.offered().unwrap() > second);
    }

    #[tokio::test]
    async fn a_stream_ends_when_a_piece_is_not_taken_in_time() {
        let bound = Duration::from_millis(100);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let stream = async {
            let progress = of_this_stream().unwrap();
            progress.set_offered();
            sleep(bound / 10).await;
            progress.set_taken();
            // Waiting for something to send is no stall.
            sleep(bound * 3).await;
            progress.set_offered();
            sender.send(()).unwrap();
            std::future::pending::<()>().await;
        };
        tokio::time::timeout(Duration::from_secs(10), run(stream, bound)).await.expect("it is given up");
        receiver.await.expect("but not before a piece was offered for so long");
    }
}
