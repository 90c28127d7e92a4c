//! What signing keys need of a store.

use async_trait::async_trait;

use super::StoredKey;
use crate::store::StoreError;

/// Reading signing keys.
#[async_trait]
pub trait SigningKeyReads {
    /// Every signing key, the newest first.
    async fn signing_keys(&mut self) -> Result<Vec<StoredKey>, StoreError>;
}

/// Writing signing keys.
#[async_trait]
pub trait SigningKeyWrites {
    /// Adds a key; `false`, and nothing done, when another with its sequence number exists.
    async fn insert_signing_key(&mut self, key: &StoredKey) -> Result<bool, StoreError>;
}
