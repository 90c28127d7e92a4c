//! What keys need of a store.

use async_trait::async_trait;

use super::{SealedRoot, StoredKey};
use crate::store::StoreError;
use crate::time::Timestamp;

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

    /// Marks a key as withdrawn; `false` when it is already, or does not exist.
    async fn withdraw_signing_key(&mut self, id: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Removes a key; `false` when there is none.
    async fn delete_signing_key(&mut self, id: &str) -> Result<bool, StoreError>;
}

/// Reading the root key.
#[async_trait]
pub trait RootKeyReads {
    /// The root key under every master key that opens it; empty before the first start.
    async fn sealed_roots(&mut self) -> Result<Vec<SealedRoot>, StoreError>;
}

/// Writing the root key.
#[async_trait]
pub trait RootKeyWrites {
    /// Keeps the first root key; `false`, and nothing done, when there is one. Of many at once, one succeeds.
    async fn insert_first_root(&mut self, root: &SealedRoot) -> Result<bool, StoreError>;

    /// Keeps the root key under one more master key, or again under the same.
    async fn put_root(&mut self, root: &SealedRoot) -> Result<(), StoreError>;

    /// Forgets the root key under every master key but this one and says under how many it was.
    async fn keep_only_root(&mut self, master_id: &str) -> Result<u64, StoreError>;
}
