//! What is written about many credentials at once.

use denizen_domain::id::{ApiKeyId, SessionId};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::sql::{execute, fetch_all, row};
use crate::tx::PostgresTx;

impl PostgresTx {
    pub(crate) async fn note_session_uses(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let (ids, moments): (Vec<Uuid>, Vec<i64>) = uses.iter().map(|(id, at)| (id.as_uuid(), at.as_micros())).unzip();
        execute!(self, "queries/touch_sessions.sql", &ids, &moments).map(drop)
    }

    pub(crate) async fn note_api_key_uses(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let (ids, moments): (Vec<Uuid>, Vec<i64>) = uses.iter().map(|(id, at)| (id.as_uuid(), at.as_micros())).unzip();
        execute!(self, "queries/touch_api_keys.sql", &ids, &moments).map(drop)
    }

    /// Removes at most so many sessions that are past their idle end.
    pub(crate) async fn remove_expired(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let from = self.removed_until();
        let mut removed = self.remove_expired_since(from, now, limit.into()).await?;
        let rest = i64::from(limit).saturating_sub_unsigned(removed.len() as u64);
        if rest > 0 && from > i64::MIN {
            // What is older after all: another transaction held it, or a removal was rolled back.
            removed.extend(self.remove_expired_since(i64::MIN, now, rest).await?);
        }
        let is_done = removed.len() < limit as usize;
        let until = removed.iter().map(|session| session.idle_expires_at).max().filter(|_| !is_done);
        let count = removed.len() as u64;
        self.removed_sessions(removed.into_iter().map(|session| session.id).collect(), until.unwrap_or(i64::MIN));
        Ok(count)
    }

    /// The same of those whose idle end is not before `from`.
    async fn remove_expired_since(
        &mut self,
        from: i64,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<RemovedRow>, StoreError> {
        fetch_all!(self, RemovedRow, "queries/remove_expired_sessions.sql", from, now.as_micros(), limit)
    }
}

row! {
    /// A session that was removed.
    struct RemovedRow {
        id: Uuid,
        idle_expires_at: i64,
    }
}
