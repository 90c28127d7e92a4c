//! Sessions in PostgreSQL. Live is what has neither ended nor expired.

use std::net::IpAddr;

use async_trait::async_trait;
use denizen_domain::access::Origin;
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::page::Page;
use denizen_domain::sessions::store::{Proof, Rotation, SessionReads, SessionWrites};
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{DisplayName, User};
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::codec::{SessionStateRow, UserRow, Window};
use crate::error::{broken, store_error};
use crate::lend::Lent;
use crate::tx::PostgresTx;

#[async_trait]
impl SessionReads for PostgresTx {
    async fn session_state(&mut self, id: SessionId) -> Result<Option<SessionState>, StoreError> {
        let id = id.as_uuid();
        let recent = self.recent();
        if let Some(found) = recent.as_ref().and_then(|recent| recent.get(id)) {
            return Ok(Some(found));
        }
        let reading = recent.as_ref().map(|recent| recent.begin());
        let query = query_file_as!(SessionStateRow, "queries/session_state.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        let state = row.map(SessionState::try_from).transpose()?;
        if let (Some(recent), Some(reading), Some(state)) = (recent, reading, &state) {
            recent.remember(id, state, reading);
        }
        Ok(state)
    }

    async fn list_sessions(&mut self, user: UserId, now: Timestamp, page: Page) -> Result<Vec<Session>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = Window::new(page);
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
impl SessionWrites for PostgresTx {
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
        let is_rotated = done.rows_affected() == 1;
        if is_rotated {
            // Other nodes hear nothing of it: a session that lives a little longer is no news, and refreshes are many.
            self.changed_here(id);
        }
        Ok(is_rotated)
    }

    async fn end_session(
        &mut self,
        id: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Option<UserId>, StoreError> {
        let owner = query_scalar!("SELECT user_id FROM sessions WHERE id = $1", id.as_uuid());
        let owner = owner.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        let Some(owner) = owner else { return Ok(None) };
        self.lock_authority(UserId::from_uuid(owner)).await?;
        let (id, reason, at) = (id.as_uuid(), reason.as_str(), at.as_micros());
        let query = query_scalar!(
            "UPDATE sessions SET ended_at = $3, end_reason = $2
            WHERE id = $1 AND ended_at IS NULL AND expires_at > $3
            RETURNING user_id",
            id,
            reason,
            at
        );
        let owner = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        if owner.is_some() {
            self.changed(id);
        }
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
        let (keep, limit) = (i64::from(keep), i64::from(limit));
        let query = query_file_scalar!("queries/end_oldest_sessions.sql", user, keep, limit, at);
        let ended = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        for id in &ended {
            self.changed(*id);
        }
        Ok(ended.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn end_user_sessions(
        &mut self,
        user: UserId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.lock_authority(user).await?;
        let (user, reason, at) = (user.as_uuid(), reason.as_str(), at.as_micros());
        let query = query_scalar!(
            "UPDATE sessions SET ended_at = $3, end_reason = $2
            WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $3
            RETURNING id",
            user,
            reason,
            at
        );
        let ended = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        if !ended.is_empty() {
            self.changed(user);
        }
        Ok(ended.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn end_other_sessions(
        &mut self,
        user: UserId,
        keep: SessionId,
        reason: EndReason,
        at: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.lock_authority(user).await?;
        let (user, keep, reason, at) = (user.as_uuid(), keep.as_uuid(), reason.as_str(), at.as_micros());
        let query = query_scalar!(
            "UPDATE sessions SET ended_at = $3, end_reason = $2
            WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $3 AND id <> $4
            RETURNING id",
            user,
            reason,
            at,
            keep
        );
        let ended = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        if !ended.is_empty() {
            self.changed(user);
        }
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
        self.changed(id);
        Ok(())
    }

    async fn touch_sessions(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let (ids, moments): (Vec<Uuid>, Vec<i64>) = uses.iter().map(|(id, at)| (id.as_uuid(), at.as_micros())).unzip();
        let query = query_file!("queries/touch_sessions.sql", &ids, &moments);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn remove_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let from = self.removed_until();
        let mut removed = remove_expired(self.connection().await?, from, now, limit.into()).await?;
        let rest = i64::from(limit).saturating_sub_unsigned(removed.len() as u64);
        if rest > 0 && from > i64::MIN {
            // What is older after all: another transaction held it, or a removal was rolled back.
            removed.extend(remove_expired(self.connection().await?, i64::MIN, now, rest).await?);
        }
        let is_done = removed.len() < limit as usize;
        let until = removed.iter().map(|session| session.idle_expires_at).max().filter(|_| !is_done);
        let count = removed.len() as u64;
        self.removed_sessions(removed.into_iter().map(|session| session.id).collect(), until.unwrap_or(i64::MIN));
        Ok(count)
    }
}

/// A session that was removed.
struct RemovedRow {
    id: Uuid,
    idle_expires_at: i64,
}

/// Removes at most so many sessions that are past their idle end, of those whose idle end is not before `from`.
async fn remove_expired(
    connection: &mut Lent,
    from: i64,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<RemovedRow>, StoreError> {
    let query = query_file_as!(RemovedRow, "queries/remove_expired_sessions.sql", from, now.as_micros(), limit);
    query.fetch_all(connection).await.map_err(store_error)
}

/// Makes the step in one statement and one round trip; nothing when it is not made.
pub(crate) async fn rotate(
    connection: &mut Lent,
    rotation: &Rotation,
) -> Result<Option<(SessionState, User)>, StoreError> {
    let (id, at) = (rotation.id.as_uuid(), rotation.at.as_micros());
    let idle_expires_at = rotation.idle_expires_at.as_micros();
    let query = query_file!("queries/rotate_and_find_session.sql", id, rotation.from_generation, at, idle_expires_at);
    let Some(row) = query.fetch_optional(connection).await.map_err(store_error)? else {
        return Ok(None);
    };
    let state = SessionStateRow {
        user_id: row.id,
        role: row.role.clone(),
        permissions: row.permissions,
        status: row.status.clone(),
        generation: row.generation,
        refreshed_at: row.refreshed_at,
        idle_expires_at: row.idle_expires_at,
        expires_at: row.expires_at,
        proven_at: row.proven_at,
        second_factor_at: row.second_factor_at,
        owes_second_factor: row.owes_second_factor,
        is_ended: false,
    };
    let user = UserRow {
        id: row.id,
        email: row.email,
        email_verified: row.email_verified,
        name: row.name,
        role: row.role,
        status: row.status,
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_sign_in_at: row.last_sign_in_at,
        version: row.version,
        locale: row.locale,
        attributes: row.attributes,
    };
    Ok(Some((state.try_into()?, user.try_into()?)))
}

/// A row of `queries/list_sessions.sql`.
struct SessionRow {
    id: Uuid,
    user_id: Uuid,
    generation: i64,
    created_at: i64,
    refreshed_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    last_used_at: i64,
    proven_at: i64,
    second_factor_at: Option<i64>,
    address: Option<String>,
    user_agent: Option<String>,
    label: Option<String>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let address = row.address.as_deref().map(str::parse::<IpAddr>).transpose().map_err(broken)?;
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            generation: row.generation,
            created_at: Timestamp::from_micros(row.created_at),
            refreshed_at: Timestamp::from_micros(row.refreshed_at),
            idle_expires_at: Timestamp::from_micros(row.idle_expires_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            last_used_at: Timestamp::from_micros(row.last_used_at),
            proven_at: Timestamp::from_micros(row.proven_at),
            second_factor_at: row.second_factor_at.map(Timestamp::from_micros),
            origin: Origin { address, user_agent: row.user_agent, language: None },
            label: row.label.map(DisplayName::from_stored),
        })
    }
}
