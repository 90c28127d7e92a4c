//! Sessions. Live is what has neither ended nor expired.

use async_trait::async_trait;
use denizen_domain::access::Origin;
use denizen_domain::auth_methods::{AuthMethod, AuthMethods, Authenticated};
use denizen_domain::id::{IdentityId, SessionId, UserId};
use denizen_domain::page::Page;
use denizen_domain::providers::ProviderName;
use denizen_domain::roles::RoleName;
use denizen_domain::sessions::store::{Proof, ProviderSession, Rotation, SessionReads, SessionWrites};
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use uuid::Uuid;

use crate::error::broken;
use crate::shared::concurrency::Concurrency;
use crate::shared::page::Window;
use crate::shared::values::status;
use crate::sql::{execute, fetch_all, fetch_all_scalars, fetch_optional, fetch_optional_scalar, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl SessionReads for Tx {
    async fn session_state(&mut self, id: SessionId) -> Result<Option<SessionState>, StoreError> {
        if let Some(state) = self.session_state_ahead(id).await? {
            return Ok(state);
        }
        let (id, recent) = (id.as_uuid(), self.memory());
        if let Some(found) = recent.as_ref().and_then(|recent| recent.get(id)) {
            return Ok(Some(found));
        }
        let reading = recent.as_ref().map(|recent| recent.begin());
        let row = fetch_optional!(self, SessionStateRow, "queries/session_state.sql", id)?;
        let state = row.map(SessionState::try_from).transpose()?;
        if let (Some(recent), Some(reading), Some(state)) = (recent, reading, &state) {
            recent.remember(id, state, reading);
        }
        Ok(state)
    }

    async fn list_sessions(&mut self, user: UserId, now: Timestamp, page: Page) -> Result<Vec<Session>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let (user, now) = (user.as_uuid(), now.as_micros());
        let rows = fetch_all!(self, SessionRow, "queries/list_sessions.sql", at, id, limit, offset, user, now)?;
        rows.into_iter().map(Session::try_from).collect()
    }

    async fn count_sessions(&mut self, user: UserId, now: Timestamp) -> Result<u64, StoreError> {
        let count = fetch_scalar!(self, i64, "queries/count_sessions.sql", user.as_uuid(), now.as_micros())?;
        Ok(count.cast_unsigned())
    }

    async fn list_provider_sessions(
        &mut self,
        provider: &ProviderName,
        from: IdentityId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ProviderSession>, StoreError> {
        let (provider, from, limit) = (provider.as_str(), from.as_uuid(), i64::from(limit));
        let rows = fetch_all!(
            self,
            ProviderSessionRow,
            "../store-shared/queries/list_provider_sessions.sql",
            provider,
            from,
            limit,
            now.as_micros()
        )?;
        Ok(rows.into_iter().map(ProviderSession::from).collect())
    }
}

#[async_trait]
impl SessionWrites for Tx {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        execute!(
            self,
            "../store-shared/queries/insert_session.sql",
            session.id.as_uuid(),
            session.user_id.as_uuid(),
            session.generation,
            session.created_at.as_micros(),
            session.refreshed_at.as_micros(),
            session.idle_expires_at.as_micros(),
            session.expires_at.as_micros(),
            session.last_used_at.as_micros(),
            session.origin.address.map(|address| address.to_string()),
            session.origin.user_agent.as_deref(),
            session.label.as_ref().map(DisplayName::as_str),
            session.proven_at.as_micros(),
            session.second_factor_at.map(Timestamp::as_micros),
            session.authenticated.methods.stored(),
            session.authenticated.identity_id.map(IdentityId::as_uuid)
        )
        .map(drop)
    }

    async fn rotate_session(&mut self, rotation: &Rotation) -> Result<bool, StoreError> {
        let (id, at) = (rotation.id.as_uuid(), rotation.at.as_micros());
        let idle_expires_at = rotation.idle_expires_at.as_micros();
        let rotated = execute!(self, "queries/rotate_session.sql", id, rotation.from_generation, at, idle_expires_at)?;
        let is_rotated = rotated == 1;
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
        if !self.lock_owner_of(id).await? {
            return Ok(None);
        }
        let (id, reason, at) = (id.as_uuid(), reason.as_str(), at.as_micros());
        let owner = fetch_optional_scalar!(self, Uuid, "../store-shared/queries/end_session.sql", id, reason, at)?;
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
        let ended = fetch_all_scalars!(self, Uuid, "queries/end_oldest_sessions.sql", user, keep, limit, at)?;
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
        let ended = fetch_all_scalars!(self, Uuid, "../store-shared/queries/end_user_sessions.sql", user, reason, at)?;
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
        let ended =
            fetch_all_scalars!(self, Uuid, "../store-shared/queries/end_other_sessions.sql", user, reason, at, keep)?;
        if !ended.is_empty() {
            self.changed(user);
        }
        Ok(ended.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn record_proof(&mut self, id: SessionId, proof: Proof) -> Result<(), StoreError> {
        let id = id.as_uuid();
        let Proof { methods, at } = proof;
        let (at, is_second_factor) = (at.as_micros(), methods.is_multi_factor());
        let second_factor_at = is_second_factor.then_some(at);
        execute!(self, "../store-shared/queries/record_proof.sql", id, at, second_factor_at, methods.stored())?;
        self.changed(id);
        Ok(())
    }

    async fn touch_sessions(&mut self, uses: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        self.note_session_uses(uses).await
    }

    async fn remove_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.remove_expired(now, limit).await
    }
}

row! {
    /// A row of `queries/session_state.sql`.
    pub(crate) struct SessionStateRow {
        pub(crate) user_id: Uuid,
        pub(crate) role: String,
        pub(crate) permissions: Option<String>,
        pub(crate) status: String,
        pub(crate) generation: i64,
        pub(crate) refreshed_at: i64,
        pub(crate) idle_expires_at: i64,
        pub(crate) expires_at: i64,
        pub(crate) proven_at: i64,
        pub(crate) second_factor_at: Option<i64>,
        pub(crate) auth_methods: Option<i64>,
        pub(crate) owes_second_factor: bool,
        pub(crate) is_ended: bool,
    }
}

impl TryFrom<SessionStateRow> for SessionState {
    type Error = StoreError;

    fn try_from(row: SessionStateRow) -> Result<Self, StoreError> {
        let role = RoleName::from_stored(row.role);
        Ok(Self {
            user_id: UserId::from_uuid(row.user_id),
            permissions: role.permissions(row.permissions.as_deref()),
            role,
            status: status(&row.status)?,
            generation: row.generation,
            refreshed_at: Timestamp::from_micros(row.refreshed_at),
            idle_expires_at: Timestamp::from_micros(row.idle_expires_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            proven_at: Timestamp::from_micros(row.proven_at),
            second_factor_at: row.second_factor_at.map(Timestamp::from_micros),
            auth_methods: auth_methods(row.auth_methods, row.second_factor_at),
            owes_second_factor: row.owes_second_factor,
            is_ended: row.is_ended,
        })
    }
}

row! {
    /// A row of `list_provider_sessions.sql`.
    struct ProviderSessionRow {
        id: Uuid,
        user_id: Uuid,
        identity_id: Uuid,
    }
}

impl From<ProviderSessionRow> for ProviderSession {
    fn from(row: ProviderSessionRow) -> Self {
        Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            identity_id: IdentityId::from_uuid(row.identity_id),
        }
    }
}

/// The methods of a session. One of the release before has none, but may have a second factor.
fn auth_methods(stored: Option<i64>, second_factor_at: Option<i64>) -> AuthMethods {
    let methods = AuthMethods::from_stored(stored.unwrap_or_default());
    match second_factor_at {
        Some(_) => methods.and(AuthMethods::of(&[AuthMethod::MultiFactor])),
        None => methods,
    }
}

row! {
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
        auth_methods: Option<i64>,
        identity_id: Option<Uuid>,
        address: Option<String>,
        user_agent: Option<String>,
        label: Option<String>,
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let address = row.address.map(|address| address.parse()).transpose().map_err(broken)?;
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
            authenticated: Authenticated {
                methods: auth_methods(row.auth_methods, row.second_factor_at),
                identity_id: row.identity_id.map(IdentityId::from_uuid),
            },
            origin: Origin { address, user_agent: row.user_agent, language: None, trace: None },
            label: row.label.map(DisplayName::from_stored),
        })
    }
}
