//! What is written about many credentials at once.

use denizen_domain::id::{ApiKeyId, SessionId};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::codec::{TOUCHED_AT_ONCE_MAX, uses_json};
use crate::shared::concurrency::Concurrency;
use crate::sql::execute_bulk;
use crate::tx::SqliteTx;

impl SqliteTx {
    pub(crate) async fn note_session_uses(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        for batch in uses.chunks(TOUCHED_AT_ONCE_MAX) {
            let uses = uses_json(batch.iter().map(|&(id, at)| (id.as_uuid(), at)))?;
            execute_bulk!(self, "queries/touch_sessions.sql", uses)?;
        }
        Ok(())
    }

    pub(crate) async fn note_api_key_uses(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        for batch in uses.chunks(TOUCHED_AT_ONCE_MAX) {
            let uses = uses_json(batch.iter().map(|&(id, at)| (id.as_uuid(), at)))?;
            execute_bulk!(self, "queries/touch_api_keys.sql", uses)?;
        }
        Ok(())
    }

    /// Removes at most so many sessions that are past their idle end.
    pub(crate) async fn remove_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let removed = execute_bulk!(self, "queries/remove_expired_sessions.sql", now.as_micros(), i64::from(limit))?;
        if removed > 0 {
            self.changed_everything();
        }
        Ok(removed)
    }
}
