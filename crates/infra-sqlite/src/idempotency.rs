//! Idempotency keys in SQLite.

use async_trait::async_trait;
use denizen_domain::idempotency::IdempotentRequest;
use denizen_domain::idempotency::store::{Claim, Claimed, IdempotencyWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file};

use crate::error::store_error;
use crate::tx::SqliteTx;

#[async_trait]
impl IdempotencyWrites for SqliteTx {
    async fn claim_idempotency_key(&mut self, claim: &Claim) -> Result<Claimed, StoreError> {
        let (key, fingerprint) = (claim.request.key.as_slice(), claim.request.fingerprint.as_slice());
        let (held_until, kept_until) = (claim.held_until.as_micros(), claim.kept_until.as_micros());
        let now = claim.now.as_micros();
        let query = query_file!("queries/claim_idempotency_key.sql", key, fingerprint, held_until, kept_until, now);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        if done.rows_affected() == 1 {
            return Ok(Claimed::First);
        }

        let query = query!("SELECT fingerprint, sealed_answer FROM idempotency_keys WHERE key = $1", key);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(match row {
            Some(row) if row.fingerprint != fingerprint => Claimed::OtherRequest,
            Some(row) => row.sealed_answer.map_or(Claimed::Running, Claimed::Answered),
            // Freed since the claim failed: whoever tries again will get it.
            None => Claimed::Running,
        })
    }

    async fn answer_idempotency_key(&mut self, request: &IdempotentRequest, sealed: &[u8]) -> Result<(), StoreError> {
        let (key, fingerprint) = (request.key.as_slice(), request.fingerprint.as_slice());
        let query = query!(
            "UPDATE idempotency_keys SET sealed_answer = $3
            WHERE key = $1 AND fingerprint = $2 AND sealed_answer IS NULL",
            key,
            fingerprint,
            sealed
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn release_idempotency_key(&mut self, request: &IdempotentRequest) -> Result<(), StoreError> {
        let (key, fingerprint) = (request.key.as_slice(), request.fingerprint.as_slice());
        let query = query!(
            "DELETE FROM idempotency_keys WHERE key = $1 AND fingerprint = $2 AND sealed_answer IS NULL",
            key,
            fingerprint
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn purge_idempotency_keys(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let now = now.as_micros();
        let query = query!(
            "DELETE FROM idempotency_keys WHERE key IN (
                SELECT key FROM idempotency_keys WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2
            )",
            now,
            limit
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}
