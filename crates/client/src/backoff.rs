//! How long to wait between attempts.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// Exponential backoff with full jitter, so that clients do not come back at the same time.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next attempt is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The time to wait: a random part of a limit that doubles with each failure, but not less than a tenth of it.
    pub(crate) fn next(&mut self) -> Duration {
        let limit = self.limit();
        self.failures = self.failures.saturating_add(1);
        limit.mul_f64(0.1 + 0.9 * random())
    }

    fn limit(&self) -> Duration {
        FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST)
    }
}

/// A number from 0 to 1.
#[expect(clippy::disallowed_methods, reason = "jitter between attempts, which no test depends on")]
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness, the limit itself applies.
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, LONGEST};

    #[test]
    fn waits_grow_to_a_limit_and_start_again() {
        let mut backoff = Backoff::default();
        for limit_ms in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let limit = Duration::from_millis(limit_ms);
            let wait = backoff.next();
            assert!(wait >= limit / 10 && wait <= limit, "{wait:?} of {limit:?}");
        }
        (0..100).for_each(|_| assert!(backoff.next() <= LONGEST));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(250));
    }
}
