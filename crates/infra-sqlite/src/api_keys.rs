//! API keys in SQLite.

use async_trait::async_trait;
use denizen_domain::access::Subject;
use denizen_domain::api_keys::store::{ApiKeyReads, ApiKeyWrites, KeyRotation};
use denizen_domain::api_keys::{ApiKey, ApiKeyState, KeyFilter, SecretHash};
use denizen_domain::id::{ApiKeyId, UserId};
use denizen_domain::page::Page;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::api_key_rows::{ApiKeyRow, ApiKeyStateRow};
use crate::codec::{TOUCHED_AT_ONCE_MAX, Window, uses_json};
use crate::error::store_error;
use crate::recent::Recent;
use crate::tx::SqliteTx;

#[async_trait]
impl ApiKeyReads for SqliteTx {
    async fn api_key_state(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyState>, StoreError> {
        let id = id.as_uuid();
        if let Some(recent) = self.recent().and_then(|recent| recent.get(id)) {
            return Ok(Some(recent));
        }
        let reading = self.recent().map(Recent::begin);
        let sql = include_str!("../queries/api_key_state.sql");
        if let Ok(found) = self.find_in_place(sql, &id.as_bytes().as_slice(), ApiKeyStateRow::read_in_place) {
            let state = found.map(ApiKeyState::try_from).transpose()?;
            if let (Some(recent), Some(reading), Some(state)) = (self.recent(), reading, &state) {
                recent.remember(id, state, 0, reading);
            }
            return Ok(state);
        }
        let query = query_file_as!(ApiKeyStateRow, "queries/api_key_state.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(ApiKeyState::try_from).transpose()
    }

    async fn find_api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let id = id.as_uuid();
        let query = query_file_as!(ApiKeyRow, "queries/find_api_key.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(ApiKey::try_from).transpose()
    }

    async fn list_api_keys(&mut self, filter: KeyFilter, page: Page) -> Result<Vec<ApiKey>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
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
impl ApiKeyWrites for SqliteTx {
    async fn insert_api_key(&mut self, key: &ApiKey, secret_hash: &SecretHash) -> Result<(), StoreError> {
        let (user, service_account) = match key.owner {
            Subject::User(user) => (Some(user.as_uuid()), None),
            Subject::ServiceAccount(account) => (None, Some(account.as_uuid())),
        };
        let (id, name, scopes) = (key.id.as_uuid(), key.name.as_str(), key.scopes.to_string());
        let secret_hash = secret_hash.as_slice();
        let expires_at = key.expires_at.map(Timestamp::as_micros);
        let created_at = key.created_at.as_micros();
        let rotated_at = key.rotated_at.map(Timestamp::as_micros);
        let last_used_at = key.last_used_at.map(Timestamp::as_micros);
        let query = query_file!(
            "queries/insert_api_key.sql",
            id,
            user,
            service_account,
            name,
            scopes,
            secret_hash,
            expires_at,
            created_at,
            rotated_at,
            last_used_at,
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
        Ok(done.rows_affected() == 1)
    }

    async fn delete_api_key(&mut self, id: ApiKeyId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM api_keys WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_user_api_keys(&mut self, user: UserId) -> Result<Vec<ApiKeyId>, StoreError> {
        let user = user.as_uuid();
        let query = query_scalar!(r#"DELETE FROM api_keys WHERE user_id = $1 RETURNING id AS "id: Uuid""#, user);
        let deleted = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(deleted.into_iter().map(ApiKeyId::from_uuid).collect())
    }

    async fn touch_api_keys(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        for batch in uses.chunks(TOUCHED_AT_ONCE_MAX) {
            let uses = uses_json(batch.iter().map(|&(id, at)| (id.as_uuid(), at)))?;
            let query = query_file!("queries/touch_api_keys.sql", uses);
            query.execute(self.connection().await?).await.map_err(store_error)?;
        }
        Ok(())
    }
}
