//! Requests that may be sent twice and are done once (`Idempotency-Key`).
//!
//! The first request with a key claims it, does its work and leaves its answer, sealed, for a day. A second
//! one gets that answer. A claim whose owner died is free again after a while.

pub mod store;

use crate::ctx::Services;
use crate::error::{Conflict, Error, Result};
use store::{Claim, Claimed};

/// How long an answer is kept, in seconds.
pub const KEPT_S: u32 = 24 * 60 * 60;
/// How long a claim without an answer holds, in seconds: longer than any request may take.
pub const CLAIM_S: u32 = 120;

/// One request under its idempotency key. Both parts are MACs: the store learns neither key nor body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// Who asks, with which key.
    pub key: [u8; 32],
    /// What is asked: method, path and body.
    pub fingerprint: [u8; 32],
}

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is the first: do it.
    Proceed,
    /// It was done: give this answer again.
    Replay(Vec<u8>),
}

/// Claims the key or finds what was answered under it.
pub async fn begin(services: &Services, request: &IdempotentRequest) -> Result<Begun> {
    let now = services.clock.now();
    let claim = Claim {
        request: request.clone(),
        now,
        held_until: now.plus_seconds(CLAIM_S),
        kept_until: now.plus_seconds(KEPT_S),
    };
    let mut tx = services.store.write().await?;
    let claimed = tx.claim_idempotency_key(&claim).await?;
    tx.commit().await?;
    match claimed {
        Claimed::First => Ok(Begun::Proceed),
        Claimed::Running => Err(Error::Conflict(Conflict::IdempotencyInProgress)),
        Claimed::OtherRequest => Err(Error::Conflict(Conflict::IdempotencyKeyReused)),
        Claimed::Answered(sealed) => {
            let answer = services.vault.open(&request.key, &sealed);
            answer.map(Begun::Replay).ok_or_else(|| Error::Internal("an idempotent answer does not open".into()))
        }
    }
}

/// Leaves the answer for whoever asks again.
pub async fn finish(services: &Services, request: &IdempotentRequest, answer: &[u8]) -> Result<()> {
    let sealed = services.vault.seal(&request.key, answer);
    let mut tx = services.store.write().await?;
    tx.answer_idempotency_key(request, &sealed).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives the key up: the request failed in a way that is worth repeating.
pub async fn forget(services: &Services, request: &IdempotentRequest) -> Result<()> {
    let mut tx = services.store.write().await?;
    tx.release_idempotency_key(request).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes answers past their time, at most `limit` of them, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_idempotency_keys(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
