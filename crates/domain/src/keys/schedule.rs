//! What becomes of a key when: it follows from the list of keys, the rules and the time.

use super::{Algorithm, StoredKey};
use crate::ctx::Policy;
use crate::time::{CLOCK_SKEW_S, Timestamp};

/// What a key is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Signs no more; the tokens it signed still verify.
    Previous,
    /// No token it signed can be alive.
    Retired,
    /// Was withdrawn: nothing it signed is good.
    Withdrawn,
}

impl KeyState {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Retired => "retired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether what the key signed is good.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::Next | Self::Current | Self::Previous)
    }
}

/// Every key and its state at a moment, the newest first.
#[derive(Debug)]
pub struct Schedule {
    entries: Vec<(StoredKey, KeyState)>,
}

impl Schedule {
    /// The states of the stored keys, which come newest first.
    #[must_use]
    pub fn new(keys: Vec<StoredKey>, policy: &Policy, now: Timestamp) -> Self {
        let mut entries = Vec::with_capacity(keys.len());
        // When the key after this one took over, if it has.
        let mut successor_at: Option<Timestamp> = None;
        for key in keys {
            // The clocks of nodes differ: a key is kept so much longer than its tokens live.
            let kept_s = policy.access_ttl_s + CLOCK_SKEW_S;
            let state = match successor_at {
                _ if key.withdrawn_at.is_some() => KeyState::Withdrawn,
                _ if key.activates_at > now => KeyState::Next,
                None => KeyState::Current,
                Some(at) if at.plus_seconds(kept_s) > now => KeyState::Previous,
                Some(_) => KeyState::Retired,
            };
            if matches!(state, KeyState::Current | KeyState::Previous | KeyState::Retired) {
                // The newer of two is the successor of both, unless the older one took over later.
                successor_at = Some(successor_at.map_or(key.activates_at, |at| at.min(key.activates_at)));
            }
            entries.push((key, state));
        }
        if successor_at.is_none() {
            sign_before_the_first(&mut entries, now);
        }
        Self { entries }
    }

    /// Every key and its state, the newest first.
    #[must_use]
    pub fn entries(&self) -> &[(StoredKey, KeyState)] {
        &self.entries
    }

    /// What a ring takes over, the newest first: the keys that verify, and those withdrawn, which must stay dead
    /// even if an older list comes later.
    #[must_use]
    pub fn for_ring(&self) -> Vec<StoredKey> {
        let is_told = |state: KeyState| state.verifies() || state == KeyState::Withdrawn;
        self.entries.iter().filter(|(_, state)| is_told(*state)).map(|(key, _)| key.clone()).collect()
    }

    /// The key that signs.
    #[must_use]
    pub fn current(&self) -> Option<&StoredKey> {
        self.entries.iter().find(|(_, state)| *state == KeyState::Current).map(|(key, _)| key)
    }

    /// The newest of the keys that sign or will.
    #[must_use]
    pub fn newest(&self) -> Option<&StoredKey> {
        let is_good = |state| matches!(state, KeyState::Next | KeyState::Current);
        self.entries.iter().find(|(_, state)| is_good(*state)).map(|(key, _)| key)
    }

    /// Whether a key of this algorithm signs or will.
    #[must_use]
    pub fn has_one_of(&self, algorithm: Algorithm) -> bool {
        let is_good = |state| matches!(state, KeyState::Next | KeyState::Current);
        self.entries.iter().any(|(key, state)| key.algorithm == algorithm && is_good(*state))
    }

    /// The sequence number of a key that is added.
    #[must_use]
    pub fn next_sequence(&self) -> i64 {
        self.entries.first().map_or(1, |(key, _)| key.sequence + 1)
    }
}

/// Where no key has become active yet because the clock is behind the one that made them, the first to do so signs.
fn sign_before_the_first(entries: &mut [(StoredKey, KeyState)], now: Timestamp) {
    let is_early = |(key, state): &&mut (StoredKey, KeyState)| *state == KeyState::Next && key.created_at > now;
    if let Some((_, state)) = entries.iter_mut().filter(is_early).min_by_key(|(key, _)| key.activates_at) {
        *state = KeyState::Current;
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyState, Schedule};
    use crate::ctx::Policy;
    use crate::keys::{Algorithm, StoredKey};
    use crate::time::Timestamp;

    const T0: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn key(sequence: i64, activates_s: u32) -> StoredKey {
        StoredKey {
            id: sequence.to_string(),
            sequence,
            algorithm: Algorithm::Es256,
            public_key: Vec::new(),
            sealed_private_key: Vec::new(),
            created_at: T0,
            activates_at: T0.plus_seconds(activates_s),
            withdrawn_at: None,
        }
    }

    fn check(keys: &[StoredKey], at_s: u32, expected: &[KeyState]) {
        let schedule = Schedule::new(keys.to_vec(), &Policy::for_tests(), T0.plus_seconds(at_s));
        let states: Vec<KeyState> = schedule.entries().iter().map(|(_, state)| *state).collect();
        assert_eq!(states, expected, "after {at_s} s");
    }

    #[test]
    fn a_key_is_published_signs_verifies_and_goes() {
        use KeyState::{Current, Next, Previous, Retired};
        let keys = [key(3, 2_000), key(2, 600), key(1, 0)];
        check(&keys, 0, &[Next, Next, Current]);
        check(&keys, 599, &[Next, Next, Current]);
        check(&keys, 600, &[Next, Current, Previous]);
        check(&keys, 600 + 959, &[Next, Current, Previous]);
        check(&keys, 600 + 960, &[Next, Current, Retired]);
        check(&keys, 2_000, &[Current, Previous, Retired]);
    }

    #[test]
    fn a_withdrawn_key_gives_the_turn_back() {
        let withdrawn = StoredKey { withdrawn_at: Some(T0.plus_seconds(700)), ..key(2, 600) };
        check(&[withdrawn, key(1, 0)], 700, &[KeyState::Withdrawn, KeyState::Current]);
    }

    #[test]
    fn the_first_key_signs_while_the_clock_is_behind_it() {
        use KeyState::{Current, Next};
        let made_later =
            |sequence, activates_s| StoredKey { created_at: T0.plus_seconds(2), ..key(sequence, activates_s) };
        check(&[made_later(2, 600), made_later(1, 2)], 0, &[Next, Current]);
        check(&[key(1, 600)], 0, &[Next]);
    }

    #[test]
    fn an_urgent_key_overtakes_one_that_was_announced() {
        use KeyState::{Current, Next, Previous};
        let keys = [key(3, 100), key(2, 600), key(1, 0)];
        check(&keys, 100, &[Current, Next, Previous]);
        check(&keys, 700, &[Current, Previous, Previous]);
    }
}
