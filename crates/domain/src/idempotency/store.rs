//! What idempotency needs of a store.

use async_trait::async_trait;

use super::IdempotentRequest;
use crate::store::StoreError;
use crate::time::Timestamp;

/// A wish to be the one that does the request.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The request.
    pub request: IdempotentRequest,
    /// When.
    pub now: Timestamp,
    /// Until when the claim holds without an answer.
    pub held_until: Timestamp,
    /// Until when the key and its answer are kept.
    pub kept_until: Timestamp,
}

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours: the key is new, its time is over, or its owner did not answer in time.
    First,
    /// Another holds it.
    Running,
    /// The key belongs to a request with another fingerprint.
    OtherRequest,
    /// It was answered; these are the sealed bytes.
    Answered(Vec<u8>),
}

/// Keeping claims and answers.
#[async_trait]
pub trait IdempotencyWrites {
    /// Claims a key, by one conditional statement.
    async fn claim_idempotency_key(&mut self, claim: &Claim) -> Result<Claimed, StoreError>;

    /// Leaves the answer under a key that this request holds.
    async fn answer_idempotency_key(&mut self, request: &IdempotentRequest, sealed: &[u8]) -> Result<(), StoreError>;

    /// Frees a key that this request holds and has not answered.
    async fn release_idempotency_key(&mut self, request: &IdempotentRequest) -> Result<(), StoreError>;

    /// Removes at most `limit` keys whose time is over and says how many.
    async fn purge_idempotency_keys(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
