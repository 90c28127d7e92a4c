//! Budgets per key in bounded memory.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};

use denizen_domain::error::Error;
use denizen_domain::time::Timestamp;

/// How many budgets there are. Keys are spread over them by a seeded hash: memory never grows, and two keys
/// that meet in one slot share its budget, which errs on the careful side.
const SLOTS: usize = 16_384;

/// What a key may spend.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// So many in every period; 0 is no limit.
    pub per_period: u32,
    /// The period, in seconds.
    pub period_s: u32,
    /// So many of them at once; at least 1.
    pub burst: u32,
}

/// A budget for each key, by the generic cell rate algorithm: a slot holds the moment at which its budget is
/// whole again. It needs no lock and never grows.
pub struct Throttle {
    slots: Box<[AtomicI64]>,
    hasher: RandomState,
    /// What one costs: the time in which it comes back, in microseconds.
    cost_us: i64,
    /// How far ahead a budget may be spent, in microseconds.
    ahead_us: i64,
}

impl Throttle {
    /// A throttle, or `None` when there is no limit.
    #[must_use]
    pub fn new(budget: Budget) -> Option<Self> {
        let period_us = i64::from(budget.period_s) * 1_000_000;
        let cost_us = period_us.checked_div(budget.per_period.into())?.max(1);
        let slots = (0..SLOTS).map(|_| AtomicI64::new(0)).collect();
        let ahead_us = cost_us.saturating_mul(budget.burst.max(1).into());
        Some(Self { slots, hasher: RandomState::new(), cost_us, ahead_us })
    }

    /// Takes one from the key's budget. Of many at once, no more get through than it holds.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when it is spent.
    pub fn admit(&self, key: impl Hash, now: Timestamp) -> Result<(), Error> {
        let now = now.as_micros();
        // No budget is spent further ahead than this, unless the clock was set back since: then it counts as spent now.
        let spent = |whole_at: i64| whole_at.clamp(now, now + self.ahead_us) + self.cost_us;
        let is_admitted = |whole_at: i64| spent(whole_at) - now <= self.ahead_us;
        let advance = |whole_at: i64| {
            Some(if is_admitted(whole_at) { spent(whole_at) } else { whole_at.min(now + self.ahead_us) })
        };
        let slot = self.slot(key);
        let (Ok(before) | Err(before)) = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, advance);
        if is_admitted(before) {
            return Ok(());
        }
        let wait_us = (spent(before) - now - self.ahead_us).unsigned_abs();
        Err(Error::TooManyRequests { retry_after_s: u32::try_from(wait_us.div_ceil(1_000_000)).unwrap_or(u32::MAX) })
    }

    fn slot(&self, key: impl Hash) -> &AtomicI64 {
        #[expect(clippy::cast_possible_truncation, reason = "any slot will do")]
        let at = self.hasher.hash_one(key) as usize % SLOTS;
        &self.slots[at]
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Throttle};
    use denizen_domain::error::Error;
    use denizen_domain::time::Timestamp;
    use std::sync::atomic::{AtomicU32, Ordering};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const TWO_A_MINUTE: Budget = Budget { per_period: 2, period_s: 60, burst: 3 };

    #[test]
    fn a_spent_budget_says_when_to_return_and_comes_back() {
        let throttle = Throttle::new(TWO_A_MINUTE).unwrap();
        for _ in 0..3 {
            throttle.admit("ada", NOW).unwrap();
        }
        let refused = |now| matches!(throttle.admit("ada", now), Err(Error::TooManyRequests { retry_after_s: 1..=30 }));
        assert!(refused(NOW));
        assert!(refused(NOW.plus_seconds(29)));
        throttle.admit("ada", NOW.plus_seconds(30)).unwrap();
        assert!(refused(NOW.plus_seconds(30)));
        throttle.admit("bob", NOW).unwrap();
    }

    #[test]
    fn the_budget_holds_under_parallel_tries() {
        let throttle = Throttle::new(TWO_A_MINUTE).unwrap();
        let admitted = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    if throttle.admit("ada", NOW).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 3);
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_longer_than_a_budget_takes_to_return() {
        let throttle = Throttle::new(TWO_A_MINUTE).unwrap();
        for _ in 0..3 {
            throttle.admit("ada", NOW).unwrap();
        }
        let back = NOW.minus_seconds(7_200);
        let refused = throttle.admit("ada", back);
        assert!(matches!(refused, Err(Error::TooManyRequests { retry_after_s: 1..=30 })), "{refused:?}");
        throttle.admit("ada", back.plus_seconds(30)).unwrap();
        assert!(throttle.admit("ada", back.plus_seconds(30)).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(Throttle::new(Budget { per_period: 0, ..TWO_A_MINUTE }).is_none());
    }
}
