//! How many may follow at once: on this node, of one account, and from one client address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use denizen_domain::access::Subject;
use denizen_domain::{Error, Result};

use crate::middleware::key_of;

/// When it is worth trying again, in seconds.
const RETRY_AFTER_S: u32 = 5;

pub(super) struct Places {
    taken: Mutex<Taken>,
    in_all: u32,
    per_account: u32,
    /// Three quarters of all, so that one address keeps no other one out.
    per_address: u32,
}

#[derive(Default)]
struct Taken {
    in_all: u32,
    by: HashMap<Subject, u32>,
    /// By [`key_of`] an address.
    from: HashMap<u64, u32>,
}

/// A place, for as long as it is held.
pub(super) struct Place {
    places: Arc<Places>,
    of: Subject,
    from: Option<u64>,
}

impl Places {
    pub(super) fn new(in_all: u32, per_account: u32) -> Self {
        Self { taken: Mutex::default(), in_all, per_account, per_address: in_all - in_all / 4 }
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> u32 {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).in_all
    }

    /// A place for one more.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when there is none on this node, [`Error::TooManyRequests`] when the account or the address has
    /// all of its.
    pub(super) fn enter(self: &Arc<Self>, of: Subject, from: Option<IpAddr>) -> Result<Place> {
        let from = from.map(key_of);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.in_all >= self.in_all {
            return Err(Error::Overloaded { retry_after_s: RETRY_AFTER_S });
        }
        let of_account = taken.by.get(&of).copied().unwrap_or_default();
        let of_address = from.and_then(|from| taken.from.get(&from).copied()).unwrap_or_default();
        if of_account >= self.per_account || of_address >= self.per_address {
            return Err(Error::TooManyRequests { retry_after_s: RETRY_AFTER_S });
        }
        taken.by.insert(of, of_account + 1);
        if let Some(from) = from {
            taken.from.insert(from, of_address + 1);
        }
        taken.in_all += 1;
        Ok(Place { places: Arc::clone(self), of, from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        give_back(&mut taken.by, &self.of);
        if let Some(from) = &self.from {
            give_back(&mut taken.from, from);
        }
    }
}

fn give_back<K: Eq + Hash>(taken: &mut HashMap<K, u32>, of: &K) {
    if let Some(own) = taken.get_mut(of) {
        *own -= 1;
        if *own == 0 {
            taken.remove(of);
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
        let first = places.enter(account(1), None).unwrap();
        let _second = places.enter(account(1), None).unwrap();
        assert!(matches!(places.enter(account(1), None), Err(Error::TooManyRequests { .. })));
        let third = places.enter(account(2), None).unwrap();
        assert!(matches!(places.enter(account(3), None), Err(Error::Overloaded { .. })));
        drop(third);
        drop(first);
        let _again = places.enter(account(1), None).unwrap();
        assert_eq!(places.taken.lock().unwrap().by.len(), 1);
    }

    #[test]
    fn an_address_has_three_quarters_of_all_places() {
        let account = |n| Subject::User(UserId::from_uuid(uuid::Uuid::from_u128(n)));
        let address = |text: &str| Some(text.parse().unwrap());
        let places = Arc::new(Places::new(4, 4));
        let first = places.enter(account(1), address("192.0.2.1")).unwrap();
        let _second = places.enter(account(2), address("192.0.2.1")).unwrap();
        let _third = places.enter(account(2), address("192.0.2.1")).unwrap();
        let refused = places.enter(account(3), address("192.0.2.1"));
        assert!(matches!(refused, Err(Error::TooManyRequests { .. })));
        let _other = places.enter(account(3), address("192.0.2.2")).unwrap();
        drop(first);
        let _again = places.enter(account(3), address("192.0.2.1")).unwrap();
    }
}
