//! What the reads on the path of every request found a moment ago.
//!
//! A find is good until something that it shows changes. Changes are counted; each leaves its count in the slot that
//! the changed id falls into, and a find whose reading began before that count is stale. A slot is shared by a few
//! ids, which costs a read now and then and nothing else. Changes of this node arrive before their commit returns,
//! those of others by notification (`listen`). A notification can be lost, so nothing is good for longer than
//! [`GOOD_FOR`]. Only single reads look here; whoever writes, or wants reads that agree, asks the database.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use denizen_domain::api_keys::ApiKeyState;
use denizen_domain::sessions::SessionState;
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::shared::cached::{CacheCounts, Cached};
use crate::shared::changes::{ChangeCounts, Changes};

/// Together with a request that was just let in it stays below the five seconds in which every node must know.
const GOOD_FOR: Duration = Duration::from_secs(4);
/// How much is remembered of each kind: 8 MiB, at a third of a KiB each.
const ENTRIES_MAX: usize = 8 * 1024 * 1024 / 340;
/// 256 KiB of slots. With a thousand changes a second, one slot sees one in half a minute.
const SLOT_BITS: u32 = 15;

/// What was found, and the count of changes.
pub(crate) struct Recent {
    changes: ChangeCounts,
    counts: CacheCounts,
    pub(crate) sessions: Entries<SessionState>,
    pub(crate) api_keys: Entries<ApiKeyState>,
    used: Notify,
    /// Up to which idle end the expired sessions were removed.
    removed_until: AtomicI64,
}

/// Finds of one kind.
pub(crate) type Entries<T> = Cache<Uuid, Entry<T>>;

/// What was found, and when its reading began.
#[derive(Clone)]
pub(crate) struct Entry<T> {
    found: T,
    reading: Reading,
}

/// The moment before a read: a change in between makes the find stale from the start.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    changes: u64,
    at: Instant,
}

impl Recent {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            changes: ChangeCounts::new(SLOT_BITS),
            counts: CacheCounts::default(),
            sessions: Cache::new(ENTRIES_MAX),
            api_keys: Cache::new(ENTRIES_MAX),
            used: Notify::new(),
            removed_until: AtomicI64::new(i64::MIN),
        }
    }

    /// What was found under the id, if it is still good.
    pub(crate) fn get<T: Cached>(&self, id: Uuid) -> Option<T> {
        self.counts.count(self.find(id))
    }

    /// How many reads were answered here, and how many were not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.counts.get()
    }

    fn find<T: Cached>(&self, id: Uuid) -> Option<T> {
        let Entry { found, reading } = T::entries(self).get(&id)?;
        let is_unchanged = self.changes.are_unchanged([id, found.owner()], reading.changes);
        (is_unchanged && reading.at.elapsed() < GOOD_FOR).then_some(found)
    }

    /// Begins to read.
    pub(crate) fn begin(&self) -> Reading {
        #[expect(clippy::disallowed_methods, reason = "how long a find is remembered is no matter of the domain")]
        let at = Instant::now();
        Reading { changes: self.changes.now(), at }
    }

    /// Remembers what was found.
    pub(crate) fn remember<T: Cached>(&self, id: Uuid, found: &T, reading: Reading) {
        T::entries(self).insert(id, Entry { found: found.clone(), reading });
        self.used.notify_one();
    }

    /// Makes stale what shows these changes: they were committed, or may have been.
    pub(crate) fn forget(&self, changes: &Changes) {
        self.changes.note(changes);
    }

    /// Gives the room of what is gone to others. Unlike [`Self::forget`] it does not reach what is being read
    /// meanwhile: only for what was over before.
    pub(crate) fn remove_session(&self, id: Uuid) {
        self.sessions.remove(&id);
    }

    /// From which idle end on there are expired sessions to remove. Only a hint, for speed: until the table is vacuumed
    /// the index leads through all that were removed before.
    pub(crate) fn removed_until(&self) -> i64 {
        self.removed_until.load(Ordering::Relaxed)
    }

    /// Sets the hint.
    pub(crate) fn set_removed_until(&self, idle_end: i64) {
        self.removed_until.store(idle_end, Ordering::Relaxed);
    }

    /// Waits until something is remembered for the first time.
    pub(crate) async fn is_used(&self) {
        self.used.notified().await;
    }
}

#[cfg(test)]
#[path = "recent_tests.rs"]
mod tests;
