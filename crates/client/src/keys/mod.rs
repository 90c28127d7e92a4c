//! The public keys of the issuer, and the tokens that they were seen to have signed.

mod jwk;
mod verified;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use jwk::{Algorithm, JwksError, Key, parse};
pub(crate) use verified::VerifiedTokens;

/// The keys of a moment. A set never changes; the next fetch replaces it.
pub(crate) struct KeySet {
    keys: Vec<Arc<Key>>,
    /// The verified tokens belong to the set: a key that is removed takes its tokens with it, also those that are being
    /// verified while the set is replaced.
    pub(crate) verified: Arc<VerifiedTokens>,
    /// When the fetch of the set began, on the monotonic clock.
    pub(crate) fetched_at: Duration,
}

impl KeySet {
    /// The first set.
    pub(crate) fn new(keys: Vec<Arc<Key>>, cache_size: usize, fetched_at: Duration) -> Self {
        Self { keys, verified: Arc::new(VerifiedTokens::new(cache_size)), fetched_at }
    }

    /// The set that replaces this one. Verified tokens are retained if no key was removed.
    pub(crate) fn succeed(&self, keys: Vec<Arc<Key>>, cache_size: usize, fetched_at: Duration) -> Self {
        let is_retained = |old: &Arc<Key>| keys.iter().any(|key| key.is_same(old));
        if self.keys.iter().all(is_retained) {
            return Self { keys, verified: Arc::clone(&self.verified), fetched_at };
        }
        Self::new(keys, cache_size, fetched_at)
    }

    /// The key with this `kid`.
    pub(crate) fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id).map(AsRef::as_ref)
    }
}
