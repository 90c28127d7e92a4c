//! Budgets per key in bounded memory.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use denizen_domain::error::Error;
use denizen_domain::ports::SignInThrottle;
use denizen_domain::users::EmailAddress;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// How many budgets there are. Keys are spread over them by a seeded hash: memory never grows, and two keys
/// that meet in one slot share its budget, which errs on the careful side.
const SLOTS: usize = 8192;

/// A budget of so many at once and so many per period, for each key (GCRA).
pub struct Throttle {
    slots: Vec<DefaultDirectRateLimiter>,
    hasher: RandomState,
    clock: DefaultClock,
}

impl Throttle {
    /// Budgets of `per_period` in every `period`, of which `burst` may come at once.
    /// `None`, which is no limit, when `per_period` is 0.
    #[must_use]
    pub fn new(per_period: u32, period: Duration, burst: u32) -> Option<Self> {
        let each = period.checked_div(per_period)?.max(Duration::from_nanos(1));
        let burst = NonZeroU32::new(burst.max(1)).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(each)?.allow_burst(burst);
        let slots = (0..SLOTS).map(|_| RateLimiter::direct(quota)).collect();
        Some(Self { slots, hasher: RandomState::new(), clock: DefaultClock::default() })
    }

    /// Takes one from the key's budget.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] when it is spent.
    pub fn admit(&self, key: impl Hash) -> Result<(), Error> {
        #[expect(clippy::cast_possible_truncation, reason = "any slot will do")]
        let slot = self.hasher.hash_one(key) as usize % SLOTS;
        self.slots[slot].check().map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            let whole_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Error::TooManyRequests { retry_after_s: u32::try_from(whole_s.max(1)).unwrap_or(u32::MAX) }
        })
    }
}

/// The budget of sign-in attempts per account.
pub struct AccountThrottle(Option<Throttle>);

impl AccountThrottle {
    /// So many attempts a minute, of which `burst` may come at once; 0 a minute is no limit.
    #[must_use]
    pub fn new(per_minute: u32, burst: u32) -> Self {
        Self(Throttle::new(per_minute, Duration::from_mins(1), burst))
    }
}

impl SignInThrottle for AccountThrottle {
    fn admit(&self, email: &EmailAddress) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |throttle| throttle.admit(email))
    }
}

#[cfg(test)]
mod tests {
    use super::Throttle;
    use denizen_domain::error::Error;
    use std::time::Duration;

    #[test]
    fn a_spent_budget_says_when_to_return() {
        let throttle = Throttle::new(2, Duration::from_mins(1), 3).unwrap();
        for _ in 0..3 {
            throttle.admit("ada").unwrap();
        }
        match throttle.admit("ada") {
            Err(Error::TooManyRequests { retry_after_s }) => assert!((29..=30).contains(&retry_after_s)),
            other => panic!("{other:?}"),
        }
        throttle.admit("bob").unwrap();
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(Throttle::new(0, Duration::from_mins(1), 3).is_none());
    }
}
