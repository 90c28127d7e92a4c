//! API keys.

use async_trait::async_trait;
use denizen_domain::access::{Permissions, Subject};
use denizen_domain::api_keys::store::{ApiKeyReads, ApiKeyWrites, KeyRotation};
use denizen_domain::api_keys::{ApiKey, ApiKeyState, KeyFilter, SecretHash};
use denizen_domain::id::{ApiKeyId, ServiceAccountId, UserId};
use denizen_domain::page::{Count, Page};
use denizen_domain::roles::RoleName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use uuid::Uuid;

use crate::error::broken;
use crate::shared::concurrency::Concurrency;
use crate::shared::page::{Window, count_limit};
use crate::shared::values::{ROWS_AT_ONCE_MAX, hex, ids_json, rows_json, status};
use crate::sql::{execute, fetch_all, fetch_all_scalars, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl ApiKeyReads for Tx {
    async fn api_key_state(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyState>, StoreError> {
        let (id, recent) = (id.as_uuid(), self.memory());
        if let Some(found) = recent.as_ref().and_then(|recent| recent.get(id)) {
            return Ok(Some(found));
        }
        let reading = recent.as_ref().map(|recent| recent.begin());
        let row = fetch_optional!(self, ApiKeyStateRow, "../store-shared/queries/api_key_state.sql", id)?;
        let state = row.map(ApiKeyState::try_from).transpose()?;
        if let (Some(recent), Some(reading), Some(state)) = (recent, reading, &state) {
            recent.remember(id, state, reading);
        }
        Ok(state)
    }

    async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let row = fetch_optional!(self, ApiKeyRow, "../store-shared/queries/find_api_key.sql", id.as_uuid())?;
        row.map(ApiKey::try_from).transpose()
    }

    async fn api_keys_of(&mut self, users: &[UserId]) -> Result<Vec<(ApiKey, SecretHash)>, StoreError> {
        let mut keys = Vec::new();
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(users)?;
            let rows = fetch_all!(self, UserApiKeyRow, "queries/api_keys_of.sql", ids)?;
            keys.extend(rows.into_iter().map(UserApiKeyRow::read).collect::<Result<Vec<_>, _>>()?);
        }
        keys.sort_by_key(|(key, _)| (key.created_at, key.id.as_uuid()));
        Ok(keys)
    }

    async fn list_api_keys(&mut self, filter: KeyFilter, page: Page) -> Result<Vec<ApiKey>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let rows = match filter {
            KeyFilter::All => fetch_all!(self, ApiKeyRow, "queries/list_api_keys.sql", at, id, limit, offset),
            KeyFilter::Owner(Subject::User(user)) => {
                let user = user.as_uuid();
                fetch_all!(self, ApiKeyRow, "queries/list_api_keys_by_user.sql", at, id, limit, offset, user)
            }
            KeyFilter::Owner(Subject::ServiceAccount(account)) => fetch_all!(
                self,
                ApiKeyRow,
                "queries/list_api_keys_by_service_account.sql",
                at,
                id,
                limit,
                offset,
                account.as_uuid()
            ),
        };
        rows?.into_iter().map(ApiKey::try_from).collect()
    }

    async fn count_api_keys(&mut self, filter: KeyFilter, max: u64) -> Result<Count, StoreError> {
        let limit = count_limit(max);
        let counted = match filter {
            KeyFilter::All => fetch_scalar!(self, i64, "../store-shared/queries/count_api_keys.sql", limit),
            KeyFilter::Owner(Subject::User(user)) => {
                fetch_scalar!(self, i64, "queries/count_api_keys_by_user.sql", limit, user.as_uuid())
            }
            KeyFilter::Owner(Subject::ServiceAccount(account)) => {
                fetch_scalar!(self, i64, "queries/count_api_keys_by_service_account.sql", limit, account.as_uuid())
            }
        };
        Ok(Count::up_to(max, counted?.cast_unsigned()))
    }
}

#[async_trait]
impl ApiKeyWrites for Tx {
    async fn insert_api_key(&mut self, key: &ApiKey, secret_hash: &SecretHash) -> Result<(), StoreError> {
        let (user, account) = match key.owner {
            Subject::User(user) => (Some(user.as_uuid()), None),
            Subject::ServiceAccount(account) => (None, Some(account.as_uuid())),
        };
        execute!(
            self,
            "../store-shared/queries/insert_api_key.sql",
            key.id.as_uuid(),
            user,
            account,
            key.name.as_str(),
            key.scopes.to_string(),
            secret_hash.as_slice(),
            key.expires_at.map(Timestamp::as_micros),
            key.created_at.as_micros(),
            key.rotated_at.map(Timestamp::as_micros),
            key.last_used_at.map(Timestamp::as_micros),
            key.version
        )
        .map(drop)
    }

    async fn insert_api_keys(&mut self, keys: &[(ApiKey, SecretHash)]) -> Result<Vec<ApiKeyId>, StoreError> {
        let mut inserted = Vec::with_capacity(keys.len());
        for keys in keys.chunks(ROWS_AT_ONCE_MAX) {
            let rows = keys.iter().filter_map(|(key, secret_hash)| {
                let Subject::User(user) = key.owner else { return None };
                Some((
                    key.id.as_uuid().simple().to_string(),
                    user.as_uuid().simple().to_string(),
                    key.name.as_str(),
                    key.scopes.to_string(),
                    hex(secret_hash),
                    key.expires_at.map(Timestamp::as_micros),
                    key.created_at.as_micros(),
                    key.rotated_at.map(Timestamp::as_micros),
                    key.last_used_at.map(Timestamp::as_micros),
                    key.version,
                ))
            });
            let rows = rows_json(&rows.collect::<Vec<_>>())?;
            let ids = fetch_all_scalars!(self, Uuid, "queries/insert_api_keys.sql", rows)?;
            inserted.extend(ids.into_iter().map(ApiKeyId::from_uuid));
        }
        Ok(inserted)
    }

    async fn rotate_api_key(&mut self, rotation: &KeyRotation) -> Result<bool, StoreError> {
        let id = rotation.id.as_uuid();
        let rotated = execute!(
            self,
            "../store-shared/queries/rotate_api_key.sql",
            id,
            rotation.from_version,
            rotation.secret_hash.as_slice(),
            rotation.previous_until.as_micros(),
            rotation.at.as_micros()
        )?;
        let is_rotated = rotated == 1;
        if is_rotated {
            self.changed(id);
        }
        Ok(is_rotated)
    }

    async fn delete_api_key(&mut self, id: ApiKeyId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let is_there = execute!(self, "../store-shared/queries/delete_api_key.sql", id)? == 1;
        if is_there {
            self.changed(id);
        }
        Ok(is_there)
    }

    async fn delete_user_api_keys(&mut self, user: UserId) -> Result<Vec<ApiKeyId>, StoreError> {
        self.lock_authority(user).await?;
        let user = user.as_uuid();
        let deleted = fetch_all_scalars!(self, Uuid, "../store-shared/queries/delete_user_api_keys.sql", user)?;
        // What is remembered of a key goes by its owner, too.
        self.changed(user);
        Ok(deleted.into_iter().map(ApiKeyId::from_uuid).collect())
    }

    async fn touch_api_keys(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        self.note_api_key_uses(uses).await
    }
}

row! {
    /// A row of `api_keys`.
    struct ApiKeyRow {
        id: Uuid,
        user_id: Option<Uuid>,
        service_account_id: Option<Uuid>,
        name: String,
        scopes: String,
        expires_at: Option<i64>,
        created_at: i64,
        rotated_at: Option<i64>,
        last_used_at: Option<i64>,
        version: i64,
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ApiKeyId::from_uuid(row.id),
            owner: owner(row.user_id, row.service_account_id)?,
            name: DisplayName::from_stored(row.name),
            scopes: Permissions::from_stored(&row.scopes),
            expires_at: row.expires_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            rotated_at: row.rotated_at.map(Timestamp::from_micros),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
            version: row.version,
        })
    }
}

row! {
    /// A row of `queries/api_keys_of.sql`.
    struct UserApiKeyRow {
        id: Uuid,
        user_id: Uuid,
        name: String,
        scopes: String,
        secret_hash: Vec<u8>,
        expires_at: Option<i64>,
        created_at: i64,
        rotated_at: Option<i64>,
        last_used_at: Option<i64>,
        version: i64,
    }
}

impl UserApiKeyRow {
    fn read(self) -> Result<(ApiKey, SecretHash), StoreError> {
        let hash = secret_hash(&self.secret_hash)?;
        let key = ApiKeyRow {
            id: self.id,
            user_id: Some(self.user_id),
            service_account_id: None,
            name: self.name,
            scopes: self.scopes,
            expires_at: self.expires_at,
            created_at: self.created_at,
            rotated_at: self.rotated_at,
            last_used_at: self.last_used_at,
            version: self.version,
        };
        Ok((ApiKey::try_from(key)?, hash))
    }
}

row! {
    /// A row of `queries/api_key_state.sql`.
    pub(crate) struct ApiKeyStateRow {
        pub(crate) user_id: Option<Uuid>,
        pub(crate) service_account_id: Option<Uuid>,
        pub(crate) role: String,
        pub(crate) permissions: Option<String>,
        pub(crate) status: String,
        pub(crate) scopes: String,
        pub(crate) expires_at: Option<i64>,
        pub(crate) secret_hash: Vec<u8>,
        pub(crate) previous_hash: Option<Vec<u8>>,
        pub(crate) previous_until: Option<i64>,
    }
}

impl TryFrom<ApiKeyStateRow> for ApiKeyState {
    type Error = StoreError;

    fn try_from(row: ApiKeyStateRow) -> Result<Self, StoreError> {
        let role = RoleName::from_stored(row.role);
        let previous_hash = row.previous_hash.as_deref().map(secret_hash).transpose()?;
        Ok(Self {
            owner: owner(row.user_id, row.service_account_id)?,
            permissions: role.permissions(row.permissions.as_deref()),
            role,
            status: status(&row.status)?,
            scopes: Permissions::from_stored(&row.scopes),
            expires_at: row.expires_at.map(Timestamp::from_micros),
            secret_hash: secret_hash(&row.secret_hash)?,
            previous: previous_hash.zip(row.previous_until.map(Timestamp::from_micros)),
        })
    }
}

fn owner(user: Option<Uuid>, service_account: Option<Uuid>) -> Result<Subject, StoreError> {
    match (user, service_account) {
        (Some(user), None) => Ok(Subject::User(UserId::from_uuid(user))),
        (None, Some(account)) => Ok(Subject::ServiceAccount(ServiceAccountId::from_uuid(account))),
        _ => Err(broken("an API key does not have one owner")),
    }
}

fn secret_hash(stored: &[u8]) -> Result<SecretHash, StoreError> {
    stored.try_into().map_err(|_| broken("the digest of an API key's secret has not 32 bytes"))
}
