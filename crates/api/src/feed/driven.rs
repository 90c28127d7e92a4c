//! A stream that is given up when nobody takes what it tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::Instrument;

/// How long a reader may take to take anything.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// The same stream, pulled by a task. A reader of HTTP/2 that lets its window run out stops pulling while its connection
/// lives: without a task it would keep its place, and what it was to be told, for ever. When it comes back after it was
/// given up, it finds `last`.
pub(crate) fn driven<T: Send + 'static>(
    stream: impl Stream<Item = T> + Send + 'static,
    last: impl FnOnce() -> T + Send + 'static,
) -> impl Stream<Item = T> + Send {
    driven_within(TAKEN_WITHIN, stream, last)
}

fn driven_within<T: Send + 'static>(
    patience: Duration,
    stream: impl Stream<Item = T> + Send + 'static,
    last: impl FnOnce() -> T + Send + 'static,
) -> impl Stream<Item = T> + Send {
    let (sender, receiver) = mpsc::channel(1);
    let is_given_up = Arc::new(AtomicBool::new(false));
    tokio::spawn(drive(patience, stream, sender, Arc::clone(&is_given_up)).in_current_span());
    stream::unfold((receiver, Some(last)), move |(mut receiver, last)| {
        let is_given_up = Arc::clone(&is_given_up);
        async move {
            if let Some(told) = receiver.recv().await {
                return Some((told, (receiver, last)));
            }
            let last = last.filter(|_| is_given_up.load(Ordering::Acquire))?;
            Some((last(), (receiver, None)))
        }
    })
}

async fn drive<T>(
    patience: Duration,
    stream: impl Stream<Item = T>,
    sender: mpsc::Sender<T>,
    is_given_up: Arc<AtomicBool>,
) {
    let mut stream = std::pin::pin!(stream);
    loop {
        let told = tokio::select! {
            // The reader has left.
            () = sender.closed() => return,
            told = stream.next() => told,
        };
        let Some(told) = told else { return };
        match timeout(patience, sender.send(told)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::debug!("event stream stalled, closing it");
                is_given_up.store(true, Ordering::Release);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_told_so() {
        let patience = Duration::from_millis(20);
        let mut told = Box::pin(driven_within(patience, stream::iter(1..), || 0));
        assert_eq!(told.next().await, Some(1));
        tokio::time::sleep(patience * 10).await;
        // What was on its way, then the word.
        assert_eq!(told.next().await, Some(2));
        assert_eq!(told.next().await, Some(0));
        assert_eq!(told.next().await, None);
    }

    #[tokio::test]
    async fn an_end_is_an_end() {
        let told: Vec<i32> = driven(stream::iter([1, 2, 3]), || 0).collect().await;
        assert_eq!(told, [1, 2, 3]);
    }
}
