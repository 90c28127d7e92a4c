//! Sessions in SQLite. Live is what has neither ended nor expired.

use async_trait::async_trait;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::page::Page;
use denizen_domain::sessions::store::{Proof, Rotation, SessionReads, SessionWrites};
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::codec::{SessionRow, SessionStateRow, TOUCHED_AT_ONCE_MAX, Window, uses_json};
use crate::error::store_error;
use crate::recent::Recent;
use crate::tx::SqliteTx;

#[async_trait]
impl SessionReads for SqliteTx {
    async fn session_state(&mut self, id: SessionId) -> Result<Option<SessionState>, StoreError> {
        let id = id.as_uuid();
        if let Some(recent) = self.recent().and_then(|recent| recent.get(id)) {
            return Ok(Some(recent));
        }
        let reading = self.recent().map(Recent::begin);
        let sql = include_str!("../queries/session_state.sql");
        if let Ok(found) = self.find_in_place(sql, &id.as_bytes().as_slice(), SessionStateRow::read_in_place) {
            let state = found.map(SessionState::try_from).transpose()?;
            if let (Some(recent), Some(reading), Some(state)) = (self.recent(), reading, &state) {
                recent.remember(id, state, 0, reading);
            }
            return Ok(state);
        }
        let query = query_file_as!(SessionStateRow, "queries/session_state.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(SessionState::try_from).transpose()
    }

    async fn list_sessions(&mut self, user: UserId, now: Timestamp, page: Page) -> Result<Vec<Session>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let (user, now) = (user.as_uuid(), now.as_micros());
        let query = query_file_as!(SessionRow, "queries/list_sessions.sql", at, id, limit, offset, user, now);
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn count_sessions(&mut self, user: UserId, now: Timestamp) -> Result<u64, StoreError> {
        let (user, now) = (user.as_uuid(), now.as_micros());
        let query = query_file_scalar!("queries/count_sessions.sql", user, now);
        let count = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl SessionWrites for SqliteTx {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let (id, user) = (session.id.as_uuid(), session.user_id.as_uuid());
        let created_at = session.created_at.as_micros();
        let refreshed_at = session.refreshed_at.as_micros();
        let idle_expires_at = session.idle_expires_at.as_micros();
        let expires_at = session.expires_at.as_micros();
        let last_used_at = session.last_used_at.as_micros();
        let address = session.origin.address.map(|address| address.to_string());
        let user_agent = session.origin.user_agent.as_deref();
        let label = session.label.as_ref().map(DisplayName::as_str);
        let proven_at = session.proven_at.as_micros();
        let second_factor_at = session.second_factor_at.map(Timestamp::as_micros);
        let query = query_file!(
            "queries/insert_session.sql",
            id,
            user,
            session.generation,
            created_at,
            refreshed_at,
            idle_expires_at,
            expires_at,
            last_used_at,
            address,
            user_agent,
            label,
            proven_at,
            second_factor_at
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn rotate_session(&mut self, rotation: &Rotation) -> Result<bool, StoreError> {
        let (id, at) = (rotation.id.as_uuid(), rotation.at.as_micros());
        let idle_expires_at = rotation.idle_expires_at.as_micros();
        let query = query_file!("queries/rotate_session.sql", id, rotation.from_generation, at, idle_expires_at);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn end_session(
        &mut self,
        id: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Option<UserId>, StoreError> {
        let (id, reason, at) = (id.as_uuid(), reason.as_str(), at.as_micros());
        let query = query_scalar!(
            r#"UPDATE sessions SET ended_at = $3, end_reason = $2
            WHERE id = $1 AND ended_at IS NULL AND expires_at > $3
            RETURNING user_id AS "user_id: Uuid""#,
            id,
            reason,
            at
        );
        let owner = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(owner.map(UserId::from_uuid))
    }

    async fn end_oldest_sessions(
        &mut self,
        user: UserId,
        keep: u32,
        limit: u32,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (user, at) = (user.as_uuid(), at.as_micros());
        let query = query_file_scalar!("queries/end_oldest_sessions.sql", user, keep, limit, at);
        let ended = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(ended.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn end_user_sessions(
        &mut self,
        user: UserId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (user, reason, at) = (user.as_uuid(), reason.as_str(), at.as_micros());
        let query = query_scalar!(
            r#"UPDATE sessions SET ended_at = $3, end_reason = $2
            WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $3
            RETURNING id AS "id: Uuid""#,
            user,
            reason,
            at
        );
        let ended = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(ended.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn end_other_sessions(
        &mut self,
        user: UserId,
        keep: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (user, keep, reason, at) = (user.as_uuid(), keep.as_uuid(), reason.as_str(), at.as_micros());
        let query = query_scalar!(
            r#"UPDATE sessions SET ended_at = $3, end_reason = $2
            WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $3 AND id <> $4
            RETURNING id AS "id: Uuid""#,
            user,
            reason,
            at,
            keep
        );
        let ended = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(ended.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn record_proof(&mut self, id: SessionId, proof: Proof) -> Result<(), StoreError> {
        let id = id.as_uuid();
        let (at, second_factor_at) = match proof {
            Proof::Password(at) => (at.as_micros(), None),
            Proof::SecondFactor(at) => (at.as_micros(), Some(at.as_micros())),
        };
        let query = query!(
            "UPDATE sessions SET proven_at = $2, second_factor_at = coalesce($3, second_factor_at) WHERE id = $1",
            id,
            at,
            second_factor_at
        );
        query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(())
    }

    async fn touch_sessions(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        for batch in uses.chunks(TOUCHED_AT_ONCE_MAX) {
            let uses = uses_json(batch.iter().map(|&(id, at)| (id.as_uuid(), at)))?;
            let query = query_file!("queries/touch_sessions.sql", uses);
            query.execute(self.connection().await?).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn remove_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let now = now.as_micros();
        let query = query_file!("queries/remove_expired_sessions.sql", now, limit);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}
