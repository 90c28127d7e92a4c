//! What idempotency needs of a store.

use async_trait::async_trait;

use super::IdempotentRequest;
use crate::store::StoreError;
use crate::time::Timestamp;

/// The answer of a request, to be stored with its work.
#[derive(Debug, Clone, Copy)]
pub struct NewAnswer<'a> {
    /// The request.
    pub request: &'a IdempotentRequest,
    /// The sealed answer.
    pub sealed: &'a [u8],
    /// The current time.
    pub now: Timestamp,
    /// Until when the answer is kept.
    pub kept_until: Timestamp,
}

/// What is stored under a key, whether its time is over or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAnswer {
    /// The fingerprint of the request.
    pub fingerprint: [u8; 32],
    /// The sealed answer; `None` while a server of the release before does the work.
    pub sealed: Option<Vec<u8>>,
    /// Until when that server may take.
    pub held_until: Timestamp,
    /// Until when the key is kept.
    pub kept_until: Timestamp,
}

/// Reading answers.
#[async_trait]
pub trait IdempotencyReads {
    /// What is stored under the key.
    async fn find_idempotent_answer(&mut self, key: &[u8; 32]) -> Result<Option<FoundAnswer>, StoreError>;
}

/// Keeping answers.
#[async_trait]
pub trait IdempotencyWrites {
    /// Stores the answer, by one conditional statement; `false`, and nothing done, when the key is in use. Waits for a
    /// transaction that has stored an answer under the key and has not ended.
    async fn insert_idempotent_answer(&mut self, answer: &NewAnswer<'_>) -> Result<bool, StoreError>;

    /// Removes at most `limit` keys whose time is over and says how many.
    async fn purge_idempotency_keys(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
