//! API keys in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::access::{Permissions, Subject};
use denizen_domain::api_keys::store::{ApiKeyReads, ApiKeyWrites, KeyRotation};
use denizen_domain::api_keys::{ApiKey, ApiKeyState, KeyFilter, SecretHash};
use denizen_domain::id::{ApiKeyId, ServiceAccountId, UserId};
use denizen_domain::page::Page;
use denizen_domain::roles::RoleName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::codec::{Window, status};
use crate::error::{broken, store_error};
use crate::tx::PostgresTx;

#[async_trait]
impl ApiKeyReads for PostgresTx {
    async fn api_key_state(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyState>, StoreError> {
        let id = id.as_uuid();
        let recent = self.recent();
        if let Some(found) = recent.as_ref().and_then(|recent| recent.get(id)) {
            return Ok(Some(found));
        }
        let reading = recent.as_ref().map(|recent| recent.begin());
        let query = query_file_as!(ApiKeyStateRow, "queries/api_key_state.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        let state = row.map(ApiKeyState::try_from).transpose()?;
        if let (Some(recent), Some(reading), Some(state)) = (recent, reading, &state) {
            recent.remember(id, state, reading);
        }
        Ok(state)
    }

    async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let id = id.as_uuid();
        let query = query_file_as!(ApiKeyRow, "queries/find_api_key.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(ApiKey::try_from).transpose()
    }

    async fn list_api_keys(&mut self, filter: KeyFilter, page: Page) -> Result<Vec<ApiKey>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = Window::new(page);
        let connection = self.connection().await?;
        let rows = match filter {
            KeyFilter::All => {
                query_file_as!(ApiKeyRow, "queries/list_api_keys.sql", at, id, limit, offset)
                    .fetch_all(connection)
                    .await
            }
            KeyFilter::Owner(Subject::User(user)) => {
                let user = user.as_uuid();
                query_file_as!(ApiKeyRow, "queries/list_api_keys_by_user.sql", at, id, limit, offset, user)
                    .fetch_all(connection)
                    .await
            }
            KeyFilter::Owner(Subject::ServiceAccount(account)) => {
                let account = account.as_uuid();
                let sql = query_file_as!(
                    ApiKeyRow,
                    "queries/list_api_keys_by_service_account.sql",
                    at,
                    id,
                    limit,
                    offset,
                    account
                );
                sql.fetch_all(connection).await
            }
        };
        rows.map_err(store_error)?.into_iter().map(ApiKey::try_from).collect()
    }

    async fn count_api_keys(&mut self, filter: KeyFilter) -> Result<u64, StoreError> {
        let connection = self.connection().await?;
        let count = match filter {
            KeyFilter::All => query_file_scalar!("queries/count_api_keys.sql").fetch_one(connection).await,
            KeyFilter::Owner(Subject::User(user)) => {
                let user = user.as_uuid();
                query_file_scalar!("queries/count_api_keys_by_user.sql", user).fetch_one(connection).await
            }
            KeyFilter::Owner(Subject::ServiceAccount(account)) => {
                let account = account.as_uuid();
                query_file_scalar!("queries/count_api_keys_by_service_account.sql", account).fetch_one(connection).await
            }
        };
        Ok(count.map_err(store_error)?.cast_unsigned())
    }
}

#[async_trait]
impl ApiKeyWrites for PostgresTx {
    async fn insert_api_key(&mut self, key: &ApiKey, secret_hash: &SecretHash) -> Result<(), StoreError> {
        let (id, name, scopes) = (key.id.as_uuid(), key.name.as_str(), key.scopes.to_string());
        let (user, account) = match key.owner {
            Subject::User(user) => (Some(user.as_uuid()), None),
            Subject::ServiceAccount(account) => (None, Some(account.as_uuid())),
        };
        let query = query_file!(
            "queries/insert_api_key.sql",
            id,
            user,
            account,
            name,
            scopes,
            secret_hash.as_slice(),
            key.expires_at.map(Timestamp::as_micros),
            key.created_at.as_micros(),
            key.rotated_at.map(Timestamp::as_micros),
            key.last_used_at.map(Timestamp::as_micros),
            key.version
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn rotate_api_key(&mut self, rotation: &KeyRotation) -> Result<bool, StoreError> {
        let (id, secret_hash) = (rotation.id.as_uuid(), rotation.secret_hash.as_slice());
        let (previous_until, at) = (rotation.previous_until.as_micros(), rotation.at.as_micros());
        let query =
            query_file!("queries/rotate_api_key.sql", id, rotation.from_version, secret_hash, previous_until, at);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        let is_rotated = done.rows_affected() == 1;
        if is_rotated {
            self.changed(id);
        }
        Ok(is_rotated)
    }

    async fn delete_api_key(&mut self, id: ApiKeyId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM api_keys WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        let is_there = done.rows_affected() == 1;
        if is_there {
            self.changed(id);
        }
        Ok(is_there)
    }

    async fn delete_user_api_keys(&mut self, user: UserId) -> Result<Vec<ApiKeyId>, StoreError> {
        self.lock_authority(user).await?;
        let user = user.as_uuid();
        let query = query_scalar!("DELETE FROM api_keys WHERE user_id = $1 RETURNING id", user);
        let deleted = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        // What is remembered of a key goes by its owner, too.
        self.changed(user);
        Ok(deleted.into_iter().map(ApiKeyId::from_uuid).collect())
    }

    async fn touch_api_keys(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let (ids, moments): (Vec<Uuid>, Vec<i64>) = uses.iter().map(|(id, at)| (id.as_uuid(), at.as_micros())).unzip();
        let query = query_file!("queries/touch_api_keys.sql", &ids, &moments);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }
}

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

/// A row of `queries/api_key_state.sql`.
struct ApiKeyStateRow {
    user_id: Option<Uuid>,
    service_account_id: Option<Uuid>,
    role: String,
    permissions: Option<String>,
    status: String,
    scopes: String,
    expires_at: Option<i64>,
    secret_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    previous_until: Option<i64>,
}

impl TryFrom<ApiKeyStateRow> for ApiKeyState {
    type Error = StoreError;

    fn try_from(row: ApiKeyStateRow) -> Result<Self, StoreError> {
        let role = RoleName::from_stored(row.role);
        let previous = row.previous_hash.zip(row.previous_until);
        let previous = previous.map(|(hash, until)| Ok((secret_hash(hash)?, Timestamp::from_micros(until))));
        Ok(Self {
            owner: owner(row.user_id, row.service_account_id)?,
            permissions: role.permissions(row.permissions.as_deref()),
            role,
            status: status(&row.status)?,
            scopes: Permissions::from_stored(&row.scopes),
            expires_at: row.expires_at.map(Timestamp::from_micros),
            secret_hash: secret_hash(row.secret_hash)?,
            previous: previous.transpose()?,
        })
    }
}

fn owner(user: Option<Uuid>, service_account: Option<Uuid>) -> Result<Subject, StoreError> {
    match (user, service_account) {
        (Some(id), None) => Ok(Subject::User(UserId::from_uuid(id))),
        (None, Some(id)) => Ok(Subject::ServiceAccount(ServiceAccountId::from_uuid(id))),
        _ => Err(broken("an API key does not have one owner")),
    }
}

fn secret_hash(stored: Vec<u8>) -> Result<SecretHash, StoreError> {
    SecretHash::try_from(stored).map_err(|_| broken("the digest of an API key's secret has not 32 bytes"))
}
