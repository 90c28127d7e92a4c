//! What writes change of what is cached, and whether a cached value is still valid.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// How many ids of one write are named; more count as [`Changes::Everything`].
pub(crate) const NAMED_MAX: usize = 100;

/// What a write changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Sessions, API keys, users and service accounts, and with the latter two what belongs to them. An id is given
    /// to one thing only, so that it need not be said of which kind it is.
    Of(Vec<Uuid>),
    /// More than can be named, or something that concerns many: a role.
    Everything,
}

impl Changes {
    /// No changes.
    pub(crate) const fn new() -> Self {
        Self::Of(Vec::new())
    }

    /// Adds one.
    pub(crate) fn add(&mut self, id: Uuid) {
        match self {
            Self::Of(ids) if ids.contains(&id) => {}
            Self::Of(ids) if ids.len() < NAMED_MAX => ids.push(id),
            Self::Of(_) | Self::Everything => *self = Self::Everything,
        }
    }
}

/// Counts changes. Each leaves its count in the slot of the changed id, so that a value is valid if it was read at a count that is
/// no lower than those of its slots. A slot is shared by a few ids, which costs a read now and then.
pub(crate) struct ChangeCounts {
    /// How many changes there were.
    changes: AtomicU64,
    /// The count at the last change of an id in the slot.
    slots: Box<[AtomicU64]>,
    /// The count at the last change of everything.
    everything: AtomicU64,
    slot_bits: u32,
}

impl ChangeCounts {
    /// No changes, in `2^slot_bits` slots of 8 bytes.
    pub(crate) fn new(slot_bits: u32) -> Self {
        let slots = (0..1 << slot_bits).map(|_| AtomicU64::new(0)).collect();
        Self { changes: AtomicU64::new(0), slots, everything: AtomicU64::new(0), slot_bits }
    }

    /// The count now, before a read begins.
    pub(crate) fn now(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Whether none of these ids changed since a count.
    pub(crate) fn are_unchanged(&self, ids: [Uuid; 2], since: u64) -> bool {
        let is_unchanged = |changed: &AtomicU64| changed.load(Ordering::SeqCst) <= since;
        is_unchanged(&self.everything) && ids.into_iter().all(|id| is_unchanged(self.slot(id)))
    }

    /// Counts changes that were committed, or may have been.
    pub(crate) fn note(&self, changes: &Changes) {
        if matches!(changes, Changes::Of(ids) if ids.is_empty()) {
            return;
        }
        // A read that begins after this line finds what was committed, and is as new as the count says.
        let count = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let mark = |slot: &AtomicU64| slot.fetch_max(count, Ordering::SeqCst);
        match changes {
            Changes::Of(ids) => {
                for &id in ids {
                    mark(self.slot(id));
                }
            }
            Changes::Everything => {
                mark(&self.everything);
            }
        }
    }

    fn slot(&self, id: Uuid) -> &AtomicU64 {
        let (high, low) = id.as_u64_pair();
        // Fibonacci hashing: the high bits of the product depend on all bits of the id.
        let hash = (high ^ low).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - self.slot_bits);
        &self.slots[usize::try_from(hash).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::{ChangeCounts, Changes, NAMED_MAX};

    #[test]
    fn an_id_counts_once_and_too_many_count_as_everything() {
        let mut changes = Changes::new();
        for n in 0..NAMED_MAX as u128 {
            changes.add(Uuid::from_u128(n));
            changes.add(Uuid::from_u128(0));
        }
        assert_ne!(changes, Changes::Everything);
        changes.add(Uuid::max());
        assert_eq!(changes, Changes::Everything);
    }

    #[test]
    fn ids_that_follow_each_other_use_different_slots() {
        let counts = ChangeCounts::new(15);
        // UUIDv7 of one millisecond differ in their last bits only.
        let slots: HashSet<_> = (0..1_000).map(|n| std::ptr::from_ref(counts.slot(Uuid::from_u128(n)))).collect();
        assert!(slots.len() > 900, "{}", slots.len());
    }
}
