//! What API keys need of a store.

use async_trait::async_trait;

use super::{ApiKey, ApiKeyState, KeyFilter, SecretHash};
use crate::id::{ApiKeyId, UserId};
use crate::page::{Count, Page};
use crate::store::StoreError;
use crate::time::Timestamp;

/// The step of a key from one secret to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRotation {
    /// Which key.
    pub id: ApiKeyId,
    /// The version it must have.
    pub from_version: i64,
    /// The digest of the new secret.
    pub secret_hash: SecretHash,
    /// Until when the secret of now still works.
    pub previous_until: Timestamp,
    /// The time of the rotation.
    pub at: Timestamp,
}

/// Reading API keys.
#[async_trait]
pub trait ApiKeyReads {
    /// What a request needs to know of a key: on the path of every request that sends one.
    async fn api_key_state(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyState>, StoreError>;

    /// The key with this id.
    async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// The keys of users with the digests of their secrets, oldest first, by few statements.
    async fn api_keys_of(&mut self, users: &[UserId]) -> Result<Vec<(ApiKey, SecretHash)>, StoreError>;

    /// The keys of one page, newest first.
    async fn list_api_keys(&mut self, filter: KeyFilter, page: Page) -> Result<Vec<ApiKey>, StoreError>;

    /// How many keys pass the filter, [counted](Count::up_to) up to `max`.
    async fn count_api_keys(&mut self, filter: KeyFilter, max: u64) -> Result<Count, StoreError>;
}

/// Writing API keys.
#[async_trait]
pub trait ApiKeyWrites {
    /// Adds a key. Its owner must exist.
    async fn insert_api_key(&mut self, key: &ApiKey, secret_hash: &SecretHash) -> Result<(), StoreError>;

    /// Adds the keys of users whose ids are not taken, by few statements, and returns their ids in any order.
    async fn insert_api_keys(&mut self, keys: &[(ApiKey, SecretHash)]) -> Result<Vec<ApiKeyId>, StoreError>;

    /// Replaces the secret, by one conditional statement, and counts the version up; `false`, and nothing done,
    /// when the key has another version or does not exist. The secret of now becomes the previous one.
    async fn rotate_api_key(&mut self, rotation: &KeyRotation) -> Result<bool, StoreError>;

    /// Removes a key; `false` when there is none.
    async fn delete_api_key(&mut self, id: ApiKeyId) -> Result<bool, StoreError>;

    /// Removes every key of a user and says which.
    async fn delete_user_api_keys(&mut self, user: UserId) -> Result<Vec<ApiKeyId>, StoreError>;

    /// Notes when keys were last used; an older moment than the one that is kept changes nothing.
    async fn touch_api_keys(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError>;
}
