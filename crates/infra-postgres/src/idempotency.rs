//! Idempotency keys in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::idempotency::store::{FoundAnswer, IdempotencyReads, IdempotencyWrites, NewAnswer};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file};

use crate::error::{broken, store_error};
use crate::tx::PostgresTx;

#[async_trait]
impl IdempotencyReads for PostgresTx {
    async fn find_idempotent_answer(&mut self, key: &[u8; 32]) -> Result<Option<FoundAnswer>, StoreError> {
        let key = key.as_slice();
        let query = query!(
            "SELECT fingerprint, sealed_answer, held_until, kept_until FROM idempotency_keys WHERE key = $1",
            key
        );
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        let Some(row) = row else { return Ok(None) };
        let fingerprint = row.fingerprint.try_into();
        Ok(Some(FoundAnswer {
            fingerprint: fingerprint.map_err(|_| broken("the fingerprint of a request has not 32 bytes"))?,
            sealed: row.sealed_answer,
            held_until: Timestamp::from_micros(row.held_until),
            kept_until: Timestamp::from_micros(row.kept_until),
        }))
    }
}

#[async_trait]
impl IdempotencyWrites for PostgresTx {
    async fn insert_idempotent_answer(&mut self, answer: &NewAnswer<'_>) -> Result<bool, StoreError> {
        let (key, fingerprint) = (answer.request.key.as_slice(), answer.request.fingerprint.as_slice());
        let (now, kept_until) = (answer.now.as_micros(), answer.kept_until.as_micros());
        let sealed = answer.sealed;
        let query = query_file!("queries/insert_idempotent_answer.sql", key, fingerprint, now, kept_until, sealed);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn purge_idempotency_keys(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let now = now.as_micros();
        let query = query!(
            "DELETE FROM idempotency_keys WHERE key IN (
                SELECT key FROM idempotency_keys WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2
                FOR UPDATE SKIP LOCKED
            )",
            now,
            i64::from(limit)
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}
