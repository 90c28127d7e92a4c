//! Following the log: one reader of it on each node, however many followers there are.
//!
//! Reading order: `pump` (the one reader) → `window` (what it read last, shared) → `follower` (one who follows, whatever
//! the transport) → `watched` (whether its credentials still hold).
//!
//! Invariants:
//! - Records are numbered without a gap, so a follower's place is a number, and nothing is kept for it but that.
//! - A follower that keeps up reads the window and nothing else. One that falls out of it and does not catch up soon is
//!   cut off, with a cursor to go on from: how long one can lag is bounded, and what it holds up is its own connection.
//! - A follower is pulled by its connection and goes with it. Where a connection may stop pulling without an end, as a
//!   stream of HTTP/2 can, a task pulls in its place (`driven`), and gives it up.

mod driven;
mod follower;
mod places;
mod pump;
mod watched;
mod window;

pub(crate) use driven::driven;
pub(crate) use follower::{Follower, Over, Step, Wish};
pub(crate) use window::Told;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use denizen_domain::Services;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Events;
use places::Places;
use window::Window;

/// After how long without reading the log a node no longer knows how far it goes.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// The log as it goes on, for whoever follows it on this node.
pub(crate) struct Feed {
    services: Arc<Services>,
    window: Window,
    /// The last record that is in the window; told to all who wait.
    head: watch::Sender<i64>,
    /// When the log was last read to its end.
    read_at: Mutex<Instant>,
    places: Arc<Places>,
    followers: TaskTracker,
    stopping: CancellationToken,
    heartbeat: Duration,
    /// How long a follower may be behind by more than the window.
    patience: Duration,
}

impl Feed {
    /// A feed that nobody [pumps](Self::pump) yet.
    pub(crate) fn new(services: Arc<Services>, events: &Events) -> Self {
        Self {
            services,
            window: Window::new(events.queue as usize),
            head: watch::Sender::new(0),
            read_at: Mutex::new(now()),
            places: Arc::new(Places::new(events.followers, events.followers_per_account)),
            followers: TaskTracker::new(),
            stopping: CancellationToken::new(),
            heartbeat: Duration::from_secs(events.heartbeat_s.into()),
            patience: Duration::from_secs(events.lag_s.into()),
        }
    }

    /// Changes whenever there is something new in the log.
    pub(crate) fn head(&self) -> watch::Receiver<i64> {
        self.head.subscribe()
    }

    /// How many follow on this node.
    pub(crate) fn followers(&self) -> u32 {
        self.places.taken()
    }

    /// How often a follower that hears nothing is told so.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Whether what is known of the log is its end, or was a moment ago.
    fn is_fresh(&self) -> bool {
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) + STALE_AFTER > now()
    }

    fn note_read(&self) {
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = now();
    }

    /// Reads the log until `stop` is cancelled; then tells every follower to go on elsewhere, and waits until all have
    /// left.
    pub(crate) async fn pump(self: Arc<Self>, stop: &CancellationToken) {
        pump::run(&self, stop).await;
        self.stopping.cancel();
        self.followers.close();
        self.followers.wait().await;
    }
}

/// The present, as connections know it.
fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a connection stays is no matter of the domain")]
    Instant::now()
}
