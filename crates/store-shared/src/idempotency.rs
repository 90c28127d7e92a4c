//! Idempotency keys.

use async_trait::async_trait;
use denizen_domain::idempotency::store::{FoundAnswer, IdempotencyReads, IdempotencyWrites, NewAnswer};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::error::broken;
use crate::sql::{execute, execute_bulk, fetch_optional, row};
use crate::tx::Tx;

#[async_trait]
impl IdempotencyReads for Tx {
    async fn find_idempotent_answer(&mut self, key: &[u8; 32]) -> Result<Option<FoundAnswer>, StoreError> {
        let row =
            fetch_optional!(self, AnswerRow, "../store-shared/queries/find_idempotent_answer.sql", key.as_slice())?;
        row.map(FoundAnswer::try_from).transpose()
    }
}

#[async_trait]
impl IdempotencyWrites for Tx {
    async fn insert_idempotent_answer(&mut self, answer: &NewAnswer<'_>) -> Result<bool, StoreError> {
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_idempotent_answer.sql",
            answer.request.key.as_slice(),
            answer.request.fingerprint.as_slice(),
            answer.now.as_micros(),
            answer.kept_until.as_micros(),
            answer.sealed
        )?;
        Ok(inserted == 1)
    }

    async fn purge_idempotency_keys(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_idempotency_keys.sql", now.as_micros(), i64::from(limit))
    }
}

row! {
    /// A row of `idempotency_keys`, less its key.
    struct AnswerRow {
        fingerprint: Vec<u8>,
        sealed_answer: Option<Vec<u8>>,
        held_until: i64,
        kept_until: i64,
    }
}

impl TryFrom<AnswerRow> for FoundAnswer {
    type Error = StoreError;

    fn try_from(row: AnswerRow) -> Result<Self, StoreError> {
        let fingerprint = row.fingerprint.try_into();
        Ok(Self {
            fingerprint: fingerprint.map_err(|_| broken("the fingerprint of a request has not 32 bytes"))?,
            sealed: row.sealed_answer,
            held_until: Timestamp::from_micros(row.held_until),
            kept_until: Timestamp::from_micros(row.kept_until),
        })
    }
}
