//! Which credentials were used lately, in bounded memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use denizen_domain::access::Credential;
use denizen_domain::ports::Usage;
use denizen_domain::time::Timestamp;
use quick_cache::sync::Cache;

/// How many credentials are noted until they are taken. More are dropped: a moment of use is no promise.
const NOTED_MAX: usize = 100_000;
/// A credential noted this short a time ago is not noted again, in microseconds.
const NOTED_AGAIN_AFTER_US: u64 = 60_000_000;

/// Notes each credential once a minute at most. A use within the minute costs one look-up.
pub struct RecentUses {
    noted: Mutex<HashMap<Credential, Timestamp>>,
    /// When credentials were last noted.
    last: Cache<Credential, Timestamp>,
    /// The most that is noted.
    noted_max: usize,
}

impl RecentUses {
    /// Nothing noted.
    #[must_use]
    pub fn new() -> Self {
        Self::of(NOTED_MAX)
    }

    fn of(noted_max: usize) -> Self {
        Self { noted: Mutex::default(), last: Cache::new(noted_max), noted_max }
    }
}

impl Default for RecentUses {
    fn default() -> Self {
        Self::new()
    }
}

impl Usage for RecentUses {
    fn note(&self, credential: Credential, at: Timestamp) {
        // A distance, so that a clock set back does not silence a credential until it is there again.
        let is_recent = |last: Timestamp| last.as_micros().abs_diff(at.as_micros()) < NOTED_AGAIN_AFTER_US;
        if self.last.get(&credential).is_some_and(is_recent) {
            return;
        }
        self.last.insert(credential, at);
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < self.noted_max || noted.contains_key(&credential) {
            noted.insert(credential, at);
        }
    }

    fn take(&self) -> Vec<(Credential, Timestamp)> {
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        noted.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::RecentUses;
    use crate::clock::{SystemChance, SystemClock};
    use denizen_domain::access::Credential;
    use denizen_domain::id::{ApiKeyId, SessionId};
    use denizen_domain::ports::Usage;
    use denizen_domain::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn session() -> Credential {
        Credential::Session(SessionId::new(&SystemClock, &SystemChance))
    }

    #[test]
    fn a_credential_is_noted_once_a_minute_and_taken_once() {
        let uses = RecentUses::new();
        let session = session();
        for second in 0..60 {
            uses.note(session, NOW.plus_seconds(second));
        }
        assert_eq!(uses.take(), [(session, NOW)]);
        uses.note(session, NOW.plus_seconds(59));
        assert_eq!(uses.take(), []);
        uses.note(session, NOW.plus_seconds(60));
        uses.note(session, NOW.plus_seconds(125));
        assert_eq!(uses.take(), [(session, NOW.plus_seconds(125))]);
    }

    #[test]
    fn the_kind_of_a_credential_tells_them_apart() {
        let uses = RecentUses::new();
        let id = ApiKeyId::new(&SystemClock, &SystemChance);
        uses.note(Credential::ApiKey(id), NOW);
        uses.note(Credential::ClientToken(id), NOW);
        assert_eq!(uses.take().len(), 2);
    }

    #[test]
    fn a_clock_set_back_silences_nothing() {
        let uses = RecentUses::new();
        let session = session();
        uses.note(session, NOW.plus_seconds(3_600));
        uses.note(session, NOW);
        assert_eq!(uses.take(), [(session, NOW)]);
    }

    #[test]
    fn when_full_new_ones_are_dropped_and_known_ones_move() {
        let uses = RecentUses::of(3);
        let known: Vec<Credential> = (0..3).map(|_| session()).collect();
        for &credential in &known {
            uses.note(credential, NOW);
        }
        uses.note(session(), NOW);
        for &credential in &known {
            uses.note(credential, NOW.plus_seconds(61));
        }
        let taken = uses.take();
        assert_eq!(taken.len(), 3);
        assert!(taken.iter().all(|(credential, at)| known.contains(credential) && *at == NOW.plus_seconds(61)));
        let fresh = session();
        uses.note(fresh, NOW);
        assert_eq!(uses.take(), [(fresh, NOW)]);
    }

    #[test]
    fn uses_from_many_threads_are_all_noted() {
        let uses = RecentUses::new();
        let sessions: Vec<Credential> = (0..400).map(|_| session()).collect();
        std::thread::scope(|scope| {
            for chunk in sessions.chunks(100) {
                let uses = &uses;
                scope.spawn(move || chunk.iter().for_each(|&credential| uses.note(credential, NOW)));
            }
        });
        assert_eq!(uses.take().len(), 400);
    }
}
