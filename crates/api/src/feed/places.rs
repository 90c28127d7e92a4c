//! How many may follow at once: on this node, and of one account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use denizen_domain::access::Subject;
use denizen_domain::{Error, Result};

/// When it is worth trying again, in seconds.
const RETRY_AFTER_S: u32 = 5;

pub(super) struct Places {
    taken: Mutex<Taken>,
    in_all: u32,
    per_account: u32,
}

#[derive(Default)]
struct Taken {
    in_all: u32,
    by: HashMap<Subject, u32>,
}

/// A place, for as long as it is held.
pub(super) struct Place {
    places: Arc<Places>,
    of: Subject,
}

impl Places {
    pub(super) fn new(in_all: u32, per_account: u32) -> Self {
        Self { taken: Mutex::default(), in_all, per_account }
    }

    /// A place for one more.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when there is none on this node, [`Error::TooManyRequests`] when the account has all of its.
    pub(super) fn enter(self: &Arc<Self>, of: Subject) -> Result<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.in_all >= self.in_all {
            return Err(Error::Overloaded { retry_after_s: RETRY_AFTER_S });
        }
        let own = taken.by.entry(of).or_default();
        if *own >= self.per_account {
            return Err(Error::TooManyRequests { retry_after_s: RETRY_AFTER_S });
        }
        *own += 1;
        taken.in_all += 1;
        Ok(Place { places: Arc::clone(self), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        if let Some(own) = taken.by.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use denizen_domain::id::UserId;

    #[test]
    fn a_place_is_taken_and_given_back() {
        let account = |n| Subject::User(UserId::from_uuid(uuid::Uuid::from_u128(n)));
        let places = Arc::new(Places::new(3, 2));
        let first = places.enter(account(1)).unwrap();
        let _second = places.enter(account(1)).unwrap();
        assert!(matches!(places.enter(account(1)), Err(Error::TooManyRequests { .. })));
        let third = places.enter(account(2)).unwrap();
        assert!(matches!(places.enter(account(3)), Err(Error::Overloaded { .. })));
        drop(third);
        drop(first);
        let _again = places.enter(account(1)).unwrap();
        assert_eq!(places.taken.lock().unwrap().by.len(), 1);
    }
}
