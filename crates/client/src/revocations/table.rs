//! The known revocations, compact: about 42 bytes for each.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use uuid::Uuid;

/// A power of two. Each shard has a lock of its own and grows on its own, so that growing copies a small part only.
const SHARDS: usize = 64;

/// Ids, each with a time in seconds since the Unix epoch.
pub(super) struct Table {
    shards: Box<[Shard]>,
    len: AtomicUsize,
}

type Shard = RwLock<HashMap<[u8; 16], u32, BuildHasherDefault<IdHasher>>>;

impl Table {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), len: AtomicUsize::new(0) }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Adds an id. Of two times, the later one is retained.
    pub(super) fn insert(&self, id: Uuid, at_s: u64) {
        let at_s = u32::try_from(at_s).unwrap_or(u32::MAX);
        let mut shard = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        let mut is_new = false;
        let known = shard.entry(*id.as_bytes()).or_insert_with(|| {
            is_new = true;
            at_s
        });
        *known = at_s.max(*known);
        if is_new {
            self.len.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The time of an id.
    pub(super) fn get(&self, id: Uuid) -> Option<u64> {
        if self.len() == 0 {
            return None;
        }
        let shard = self.shard(id).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(id.as_bytes()).map(|&at_s| at_s.into())
    }

    /// Removes the ids with an earlier time.
    pub(super) fn remove_before(&self, at_s: u64) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|_, known| u64::from(*known) >= at_s);
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
            if shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
        }
    }

    fn shard(&self, id: Uuid) -> &Shard {
        // The hash has other bits of the id above: these are of its last byte, which is random in UUIDv7 and UUIDv4.
        &self.shards[usize::from(id.as_bytes()[15]) % SHARDS]
    }
}

/// Hashes an id. Only the issuer can add ids, and its ids are random, so that a hash needs no key.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        // Odd, from the fraction of the golden ratio: spreads every bit upwards.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
        }
    }

    /// The length, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Table;

    fn id(number: u128) -> Uuid {
        // Spread over all bits, as the ids of sessions are.
        Uuid::from_u128(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    }

    #[test]
    fn ids_are_found_until_they_are_removed() {
        let table = Table::new();
        (0..10_000).for_each(|number| table.insert(id(number), 100 + u64::from(number >= 5000)));
        assert_eq!((table.len(), table.get(id(7)), table.get(id(20_000))), (10_000, Some(100), None));
        table.remove_before(101);
        assert_eq!((table.len(), table.get(id(7)), table.get(id(7000))), (5000, None, Some(101)));
    }

    #[test]
    fn the_later_time_of_an_id_is_retained() {
        let table = Table::new();
        for at_s in [5, 9, 7] {
            table.insert(id(1), at_s);
        }
        assert_eq!((table.len(), table.get(id(1))), (1, Some(9)));
    }
}
