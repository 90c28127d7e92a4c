//! Time as an input, so that tests can set it.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time. Implement it to control the time in tests; otherwise [`SystemClock`] is used.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time since the Unix epoch. Token lifetimes are compared with it.
    fn unix_time(&self) -> Duration;

    /// The time since an arbitrary start, which never goes back. Ages of keys and revocations are measured with it.
    fn monotonic(&self) -> Duration;
}

/// The clock of the operating system.
///
/// ```
/// use denizen_client::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// assert!(clock.unix_time().as_secs() > 1_700_000_000);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the only reading of the monotonic clock, behind the trait")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only reading of the system clock, behind the trait")]
    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}
