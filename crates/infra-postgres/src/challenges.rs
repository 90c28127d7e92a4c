//! Challenges in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::challenges::store::{ChallengeReads, ChallengeWrites};
use denizen_domain::challenges::{Challenge, ChallengeKind};
use denizen_domain::id::{ChallengeId, UserId};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use sqlx::{query, query_file, query_file_as};
use uuid::Uuid;

use crate::error::{broken, store_error};
use crate::tx::PostgresTx;

#[async_trait]
impl ChallengeReads for PostgresTx {
    async fn find_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreError> {
        let (id, now) = (id.as_uuid(), now.as_micros());
        let query = query_file_as!(ChallengeRow, "queries/find_challenge.sql", id, now);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(Challenge::try_from).transpose()
    }
}

#[async_trait]
impl ChallengeWrites for PostgresTx {
    async fn insert_challenge(&mut self, challenge: &Challenge) -> Result<(), StoreError> {
        let (id, user, kind) =
            (challenge.id.as_uuid(), challenge.user_id.map(UserId::as_uuid), challenge.kind.as_str());
        let label = challenge.label.as_ref().map(DisplayName::as_str);
        let (created_at, expires_at) = (challenge.created_at.as_micros(), challenge.expires_at.as_micros());
        let query = query!(
            "INSERT INTO challenges (id, user_id, kind, label, tries_left, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)",
            id,
            user,
            kind,
            label,
            challenge.tries_left,
            created_at,
            expires_at
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn try_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreError> {
        let (id, now) = (id.as_uuid(), now.as_micros());
        let query = query_file_as!(ChallengeRow, "queries/try_challenge.sql", id, now);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(Challenge::try_from).transpose()
    }

    async fn remove_challenge(&mut self, id: ChallengeId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM challenges WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_challenges(&mut self, user: UserId) -> Result<(), StoreError> {
        let user = user.as_uuid();
        let query = query!("DELETE FROM challenges WHERE user_id = $1", user);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn purge_challenges(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (now, limit) = (now.as_micros(), i64::from(limit));
        let query = query_file!("queries/purge_challenges.sql", now, limit);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

/// A row of `challenges`.
struct ChallengeRow {
    id: Uuid,
    user_id: Option<Uuid>,
    kind: String,
    label: Option<String>,
    tries_left: i64,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<ChallengeRow> for Challenge {
    type Error = StoreError;

    fn try_from(row: ChallengeRow) -> Result<Self, StoreError> {
        let unknown = || broken(format!("the stored kind of challenge {:?} is unknown", row.kind));
        Ok(Self {
            id: ChallengeId::from_uuid(row.id),
            user_id: row.user_id.map(UserId::from_uuid),
            kind: ChallengeKind::parse(&row.kind).ok_or_else(unknown)?,
            label: row.label.map(DisplayName::from_stored),
            tries_left: row.tries_left,
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        })
    }
}
