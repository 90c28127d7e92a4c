//! The keys that are good at a moment. A set never changes; another takes its place.

use std::collections::HashSet;
use std::sync::Arc;

use denizen_domain::keys::StoredKey;
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use denizen_domain::tokens::VerifiedToken;
use quick_cache::sync::Cache;

use super::KeyError;
use super::jwks::{self, Jwks};
use super::pair::KeyPair;

/// How many verified tokens are remembered; about 200 bytes each.
const VERIFIED_MAX: usize = 10_000;

/// The keys, and the tokens that they were seen to have signed.
pub(super) struct Ring {
    /// The newest first.
    keys: Vec<RingKey>,
    /// The highest sequence number that was ever listed: no list is good that does not reach it.
    newest_sequence: i64,
    /// Keys that were withdrawn. That is for good: an older list that lacks it brings none back.
    withdrawn: HashSet<String>,
    /// Verified tokens by digest. It belongs to the set: what is verified while a key is taken away is remembered
    /// where nobody looks any more.
    pub(super) verified: Arc<Cache<[u8; 32], VerifiedToken>>,
    pub(super) jwks: Arc<Jwks>,
}

struct RingKey {
    pair: Arc<KeyPair>,
    activates_at: Timestamp,
}

impl Ring {
    /// No key yet.
    pub(super) fn empty() -> Self {
        Self::of(Vec::new())
    }

    /// One key that signs for ever.
    pub(super) fn of_one(pair: KeyPair) -> Self {
        Self::of(vec![RingKey { pair: Arc::new(pair), activates_at: Timestamp::from_micros(i64::MIN) }])
    }

    fn of(keys: Vec<RingKey>) -> Self {
        let body = jwks::document(keys.iter().map(|key| key.pair.as_ref()));
        Self {
            keys,
            newest_sequence: 0,
            withdrawn: HashSet::new(),
            verified: Arc::new(Cache::new(VERIFIED_MAX)),
            jwks: Arc::new(Jwks { body, version: 1 }),
        }
    }

    /// The highest sequence number that was ever listed.
    pub(super) fn newest_sequence(&self) -> i64 {
        self.newest_sequence
    }

    /// The newest key that is active. Where none is, because the clock was set back to before the first one, the one
    /// that becomes active first: it is published already.
    pub(super) fn signing_at(&self, now: Timestamp) -> Option<&KeyPair> {
        let active = self.keys.iter().find(|key| key.activates_at <= now);
        active.or_else(|| self.keys.iter().min_by_key(|key| key.activates_at)).map(|key| key.pair.as_ref())
    }

    /// The key with this `kid`.
    pub(super) fn find(&self, id: &str) -> Option<&KeyPair> {
        self.keys.iter().find(|key| key.pair.id() == id).map(|key| key.pair.as_ref())
    }

    /// The set with these keys in the place of this one. A key that cannot be used is left out and the first of them
    /// told: the others are good, and what is gone from the list must go.
    pub(super) fn succeed(&self, stored: &[StoredKey], vault: &dyn Vault) -> (Self, Result<(), KeyError>) {
        let listed = stored.iter().map(|key| key.sequence).max().unwrap_or_default();
        let newest_sequence = self.newest_sequence.max(listed);
        let mut withdrawn = self.withdrawn.clone();
        withdrawn.extend(stored.iter().filter(|key| key.withdrawn_at.is_some()).map(|key| key.id.clone()));
        let mut stored: Vec<&StoredKey> = stored.iter().filter(|key| !withdrawn.contains(&key.id)).collect();
        stored.sort_by_key(|key| std::cmp::Reverse(key.sequence));

        let mut outcome = Ok(());
        let mut keys = Vec::with_capacity(stored.len());
        for key in stored {
            match self.known(&key.id).map_or_else(|| KeyPair::open(vault, key).map(Arc::new), Ok) {
                Ok(pair) => keys.push(RingKey { pair, activates_at: key.activates_at }),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }

        let is_kept = |old: &RingKey| keys.iter().any(|key| key.pair.id() == old.pair.id());
        let verified =
            if self.keys.iter().all(is_kept) { Arc::clone(&self.verified) } else { Arc::new(Cache::new(VERIFIED_MAX)) };
        let body = jwks::document(keys.iter().map(|key| key.pair.as_ref()));
        let jwks = if body == self.jwks.body {
            Arc::clone(&self.jwks)
        } else {
            Arc::new(Jwks { body, version: self.jwks.version + 1 })
        };
        (Self { keys, newest_sequence, withdrawn, verified, jwks }, outcome)
    }

    /// A key that was parsed before.
    fn known(&self, id: &str) -> Option<Arc<KeyPair>> {
        self.keys.iter().find(|key| key.pair.id() == id).map(|key| Arc::clone(&key.pair))
    }
}
