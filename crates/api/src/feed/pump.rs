//! The one reader of the log on this node.

use std::time::Duration;

use denizen_domain::Result;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Feed, now};
use crate::upkeep::report;

/// How often the log is looked at though nobody said that there is something new: another process may have written, or
/// a notification be lost.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// The shortest time from one reading to the next. A change after a pause is read at once. When changes come faster than this,
/// one reading serves many of them, and each is read after this time at the latest.
const GATHER: Duration = Duration::from_millis(20);
/// How many records are read at once.
const READ_AT_ONCE: u32 = 500;

pub(super) async fn run(feed: &Feed, stop: &CancellationToken) {
    let store = &feed.services.store;
    let mut read_to = None;
    let mut is_failing = false;
    loop {
        let gathered_at = now() + GATHER;
        let outcome = read_on(feed, &mut read_to).await;
        if outcome.is_ok() {
            feed.note_read();
        }
        is_failing = report("reading the event log", is_failing, outcome);
        tokio::select! {
            () = stop.cancelled() => return,
            () = store.events_recorded(), if !is_failing => {}
            () = sleep(POLL_EVERY) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(gathered_at) => {}
        }
    }
}

/// Gives what was committed its place, and puts it into the window.
async fn read_on(feed: &Feed, read_to: &mut Option<i64>) -> Result<()> {
    let store = &feed.services.store;
    store.seal_events().await?;
    let mut read = store.read().await?;
    let mut is_read = false;
    let mut position = match *read_to {
        Some(position) => position,
        // What was before this node began is read by those who ask for it.
        None => read.log_bounds().await?.head,
    };
    loop {
        *read_to = Some(position);
        feed.head.send_if_modified(|head| std::mem::replace(head, position) != position);
        if is_read {
            return Ok(());
        }
        let events = read.events_between(position, i64::MAX, READ_AT_ONCE).await?;
        // What is recorded meanwhile wakes again.
        is_read = events.len() < READ_AT_ONCE as usize;
        position = events.last().map_or(position, |last| last.position);
        feed.window.push(events);
    }
}
