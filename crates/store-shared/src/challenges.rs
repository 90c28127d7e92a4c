//! Challenges.

use async_trait::async_trait;
use denizen_domain::auth_methods::{AuthMethods, Authenticated};
use denizen_domain::challenges::store::{ChallengeReads, ChallengeWrites};
use denizen_domain::challenges::{Challenge, ChallengeKind};
use denizen_domain::id::{ChallengeId, IdentityId, UserId};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use uuid::Uuid;

use crate::error::broken;
use crate::sql::{execute, execute_bulk, fetch_optional, row};
use crate::tx::Tx;

#[async_trait]
impl ChallengeReads for Tx {
    async fn find_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreError> {
        let (id, now) = (id.as_uuid(), now.as_micros());
        let row = fetch_optional!(self, ChallengeRow, "../store-shared/queries/find_challenge.sql", id, now)?;
        row.map(Challenge::try_from).transpose()
    }
}

#[async_trait]
impl ChallengeWrites for Tx {
    async fn insert_challenge(&mut self, challenge: &Challenge) -> Result<(), StoreError> {
        execute!(
            self,
            "../store-shared/queries/insert_challenge.sql",
            challenge.id.as_uuid(),
            challenge.user_id.map(UserId::as_uuid),
            challenge.kind.as_str(),
            challenge.label.as_ref().map(DisplayName::as_str),
            challenge.tries_left,
            challenge.created_at.as_micros(),
            challenge.expires_at.as_micros(),
            challenge.authenticated.methods.stored(),
            challenge.authenticated.identity_id.map(IdentityId::as_uuid)
        )
        .map(drop)
    }

    async fn try_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreError> {
        let (id, now) = (id.as_uuid(), now.as_micros());
        let row = fetch_optional!(self, ChallengeRow, "../store-shared/queries/try_challenge.sql", id, now)?;
        row.map(Challenge::try_from).transpose()
    }

    async fn remove_challenge(&mut self, id: ChallengeId) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/remove_challenge.sql", id.as_uuid())? == 1)
    }

    async fn remove_challenges(&mut self, user: UserId) -> Result<(), StoreError> {
        execute!(self, "../store-shared/queries/remove_challenges.sql", user.as_uuid()).map(drop)
    }

    async fn purge_challenges(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_challenges.sql", now.as_micros(), i64::from(limit))
    }
}

row! {
    /// A row of `challenges`.
    struct ChallengeRow {
        id: Uuid,
        user_id: Option<Uuid>,
        kind: String,
        label: Option<String>,
        tries_left: i64,
        created_at: i64,
        expires_at: i64,
        auth_methods: Option<i64>,
        identity_id: Option<Uuid>,
    }
}

impl TryFrom<ChallengeRow> for Challenge {
    type Error = StoreError;

    fn try_from(row: ChallengeRow) -> Result<Self, StoreError> {
        let unknown = || broken(format!("the stored kind of challenge {:?} is unknown", row.kind));
        Ok(Self {
            id: ChallengeId::from_uuid(row.id),
            user_id: row.user_id.map(UserId::from_uuid),
            kind: ChallengeKind::parse(&row.kind).ok_or_else(unknown)?,
            authenticated: Authenticated {
                methods: AuthMethods::from_stored(row.auth_methods.unwrap_or_default()),
                identity_id: row.identity_id.map(IdentityId::from_uuid),
            },
            label: row.label.map(DisplayName::from_stored),
            tries_left: row.tries_left,
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        })
    }
}
