//! The kinds of values that both stores cache.

use std::sync::atomic::{AtomicU64, Ordering};

use denizen_domain::access::Subject;
use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use uuid::Uuid;

use crate::recent::{Entries, Recent};

/// A kind of value that is cached.
pub(crate) trait Cached: Clone {
    /// Where it is.
    fn entries(recent: &Recent) -> &Entries<Self>;

    /// The account that it shows besides.
    fn owner(&self) -> Uuid;
}

impl Cached for SessionState {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.sessions
    }

    fn owner(&self) -> Uuid {
        self.user_id.as_uuid()
    }
}

impl Cached for ApiKeyState {
    fn entries(recent: &Recent) -> &Entries<Self> {
        &recent.api_keys
    }

    fn owner(&self) -> Uuid {
        match self.owner {
            Subject::User(id) => id.as_uuid(),
            Subject::ServiceAccount(id) => id.as_uuid(),
        }
    }
}

/// How many reads the cache answered, and how many it did not.
#[derive(Default)]
pub(crate) struct CacheCounts {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl CacheCounts {
    /// Counts a read by what was found, which is returned as it is.
    pub(crate) fn count<T>(&self, found: Option<T>) -> Option<T> {
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// The hits and the misses.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}
