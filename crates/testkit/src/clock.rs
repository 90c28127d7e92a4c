//! A clock that moves when told.

use std::sync::atomic::{AtomicI64, Ordering};

use denizen_domain::ports::Clock;
use denizen_domain::time::Timestamp;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// A clock that stands at this moment.
    #[must_use]
    pub const fn at(moment: Timestamp) -> Self {
        Self(AtomicI64::new(moment.as_micros()))
    }

    /// Moves it to a moment.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_micros(), Ordering::SeqCst);
    }

    /// Moves it forward by seconds.
    pub fn advance_s(&self, seconds: u32) {
        self.advance_us(i64::from(seconds) * 1_000_000);
    }

    /// Moves it by microseconds, backwards when they are negative.
    pub fn advance_us(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    /// A clock that stands at [`crate::build::EPOCH`].
    fn default() -> Self {
        Self::at(crate::build::EPOCH)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}
