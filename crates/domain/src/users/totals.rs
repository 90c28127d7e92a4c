//! How many users there are, remembered where counting reads many rows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Status, UserFilter};
use crate::page::Count;
use crate::roles::RoleName;
use crate::time::Timestamp;

/// How long a larger total is used again, in seconds.
const REUSED_FOR_S: u32 = 10;
/// How many totals are remembered; roles times statuses are rarely as many.
const ENTRIES_MAX: usize = 256;

/// The totals of the lists that are narrowed by nothing but a role and a status.
#[derive(Debug, Default)]
pub struct Totals(Mutex<HashMap<Key, Entry>>);

/// What a list is narrowed by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    role: Option<RoleName>,
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    total: u64,
    counted_at: Timestamp,
}

impl Key {
    /// The list that a filter asks for; `None` if the filter has values without end, which are not remembered.
    pub(super) fn of(filter: &UserFilter) -> Option<Self> {
        let UserFilter { email, prefix, role, status, created_after } = filter;
        let is_endless = email.is_some() || prefix.is_some() || created_after.is_some();
        (!is_endless).then(|| Self { role: role.clone(), status: *status })
    }
}

impl Totals {
    /// A total that was counted a moment ago.
    pub(super) fn get(&self, key: &Key, now: Timestamp) -> Option<Count> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(key).filter(|entry| entry.counted_at.is_within(REUSED_FOR_S, now))?;
        Some(Count::Exactly(entry.total))
    }

    /// Remembers a total.
    pub(super) fn put(&self, key: Key, total: u64, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES_MAX {
            entries.clear();
        }
        entries.insert(key, Entry { total, counted_at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES_MAX, Key, REUSED_FOR_S, Totals};
    use crate::page::Count;
    use crate::roles::RoleName;
    use crate::time::Timestamp;
    use crate::users::{Status, UserFilter};

    #[test]
    fn a_total_is_reused_for_a_while_and_for_its_list_only() {
        let (totals, now) = (Totals::default(), Timestamp::from_micros(1_000_000_000));
        let all = Key::of(&UserFilter::default()).unwrap();
        let active = Key::of(&UserFilter { status: Some(Status::Active), ..UserFilter::default() }).unwrap();
        totals.put(all.clone(), 20_000, now);
        assert_eq!(totals.get(&all, now.plus_seconds(REUSED_FOR_S - 1)), Some(Count::Exactly(20_000)));
        assert_eq!(totals.get(&all, now.plus_seconds(REUSED_FOR_S)), None);
        assert_eq!(totals.get(&active, now), None);
    }

    #[test]
    fn no_more_totals_are_remembered_than_their_bound() {
        let (totals, now) = (Totals::default(), Timestamp::from_micros(0));
        for n in 0..2 * ENTRIES_MAX {
            let role = Some(RoleName::from_stored(format!("role-{n}")));
            let key = Key::of(&UserFilter { role, ..UserFilter::default() }).unwrap();
            totals.put(key, 1, now);
        }
        assert!(totals.0.lock().unwrap().len() <= ENTRIES_MAX);
    }

    #[test]
    fn filters_without_end_are_not_remembered() {
        let filter = UserFilter { prefix: Some("a".to_owned()), ..UserFilter::default() };
        assert_eq!(Key::of(&filter), None);
    }
}
