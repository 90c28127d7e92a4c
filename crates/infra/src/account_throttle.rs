//! Rate limits per account, in bounded memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use denizen_domain::access::Subject;
use denizen_domain::error::Error;
use denizen_domain::ports::{AccountActivity, AccountThrottle};
use denizen_domain::time::Timestamp;

/// How many accounts are counted at once. An account is counted until its budget is whole again, which after one write
/// is seconds.
const ACCOUNTS_MAX: usize = 65_536;
/// How many minutes' worth of a rate can be spent at once.
const BURST_MINUTES: i64 = 2;
/// How many times as often an administrator, or a program with a write permission, may write.
const PRIVILEGED_FACTOR: i64 = 1_000;
const MINUTE_US: i64 = 60_000_000;

/// Limits how often an account does what leaves rows, on this node, by the generic cell rate algorithm. Each account is
/// counted by itself: no account spends the budget of another.
pub struct AccountRates {
    /// The moments at which budgets are whole again, in microseconds.
    whole_at: Mutex<HashMap<(Subject, AccountActivity), i64>>,
    per_minute: i64,
}

impl AccountRates {
    /// Rates of so many writes, sign-ins and password changes a minute; 0 is no limit.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { whole_at: Mutex::default(), per_minute: per_minute.into() }
    }

    fn cost_us(&self, activity: AccountActivity) -> Option<i64> {
        let per_minute = match activity {
            AccountActivity::PrivilegedWrite => self.per_minute * PRIVILEGED_FACTOR,
            AccountActivity::Write | AccountActivity::SignIn | AccountActivity::PasswordChange => self.per_minute,
        };
        Some(MINUTE_US.checked_div(per_minute)?.max(1))
    }
}

impl AccountThrottle for AccountRates {
    fn admit(&self, account: Subject, activity: AccountActivity, now: Timestamp) -> Result<(), Error> {
        let Some(cost_us) = self.cost_us(activity) else { return Ok(()) };
        let (now, ahead_us) = (now.as_micros(), BURST_MINUTES * MINUTE_US);
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account, activity);
        // No budget is spent further ahead than this, unless the clock was set back since: then it counts as spent now.
        if let Some(at) = whole_at.get_mut(&key) {
            *at = (*at).min(now + ahead_us);
        }
        let before = whole_at.get(&key).copied().unwrap_or(now).max(now);
        let after = before + cost_us;
        if after - now > ahead_us {
            let wait_us = (after - now - ahead_us).unsigned_abs();
            let retry_after_s = u32::try_from(wait_us.div_ceil(1_000_000)).unwrap_or(u32::MAX);
            return Err(Error::TooManyRequests { retry_after_s });
        }
        if whole_at.len() >= ACCOUNTS_MAX && !whole_at.contains_key(&key) {
            make_room(&mut whole_at, now);
        }
        whole_at.insert(key, after);
        Ok(())
    }
}

/// Removes the budgets that are whole; when none is, the one that is nearest to it.
fn make_room(whole_at: &mut HashMap<(Subject, AccountActivity), i64>, now: i64) {
    whole_at.retain(|_, at| *at > now);
    if whole_at.len() < ACCOUNTS_MAX {
        return;
    }
    let nearest = whole_at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key);
    if let Some(key) = nearest {
        whole_at.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use denizen_domain::id::UserId;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn account(n: u128) -> Subject {
        Subject::User(UserId::from_uuid(Uuid::from_u128(n)))
    }

    fn admitted(rates: &AccountRates, activity: AccountActivity, now: Timestamp) -> usize {
        (0..1_000).take_while(|_| rates.admit(account(1), activity, now).is_ok()).count()
    }

    #[test]
    fn account_has_a_burst_and_then_its_rate() {
        let rates = AccountRates::new(30);
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW), 60);
        let refused = rates.admit(account(1), AccountActivity::Write, NOW);
        assert!(matches!(refused, Err(Error::TooManyRequests { retry_after_s: 1..=2 })), "{refused:?}");
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW.plus_seconds(20)), 10);
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW.plus_seconds(3_600)), 60);
    }

    #[test]
    fn other_accounts_and_other_activities_have_their_own_budget() {
        let rates = AccountRates::new(30);
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW), 60);
        assert!(rates.admit(account(2), AccountActivity::Write, NOW).is_ok());
        assert_eq!(admitted(&rates, AccountActivity::SignIn, NOW), 60);
        assert_eq!(admitted(&rates, AccountActivity::PrivilegedWrite, NOW), 1_000);
    }

    #[test]
    fn clock_that_is_set_back_does_not_prolong_the_wait() {
        let rates = AccountRates::new(30);
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW.plus_seconds(7_200)), 60);
        let refused = rates.admit(account(1), AccountActivity::Write, NOW);
        assert!(matches!(refused, Err(Error::TooManyRequests { retry_after_s: 1..=2 })), "{refused:?}");
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW.plus_seconds(2)), 1);
        assert_eq!(admitted(&rates, AccountActivity::Write, NOW.plus_seconds(20)), 9);
    }

    #[test]
    fn memory_is_bounded() {
        let rates = AccountRates::new(30);
        for n in 0..(ACCOUNTS_MAX as u128 + 10) {
            rates.admit(account(n), AccountActivity::Write, NOW).unwrap();
        }
        assert!(rates.whole_at.lock().unwrap().len() <= ACCOUNTS_MAX);
        assert!(AccountRates::new(0).admit(account(1), AccountActivity::Write, NOW).is_ok());
    }
}
