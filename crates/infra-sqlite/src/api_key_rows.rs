//! Rows of API keys to domain types.

use denizen_domain::access::{Permissions, Subject};
use denizen_domain::api_keys::{ApiKey, ApiKeyState, SecretHash};
use denizen_domain::id::{ApiKeyId, ServiceAccountId, UserId};
use denizen_domain::roles::RoleName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use rusqlite::Row;
use uuid::Uuid;

use crate::codec::status;
use crate::error::broken;

/// A row of `queries/find_api_key.sql`.
pub(crate) struct ApiKeyRow {
    pub(crate) id: Uuid,
    pub(crate) user_id: Option<Uuid>,
    pub(crate) service_account_id: Option<Uuid>,
    pub(crate) name: String,
    pub(crate) scopes: String,
    pub(crate) expires_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) rotated_at: Option<i64>,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) version: i64,
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

/// A row of `queries/api_key_state.sql`, in the order of its columns.
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

impl ApiKeyStateRow {
    /// Reads the row of `queries/api_key_state.sql`.
    pub(crate) fn read_in_place(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            user_id: row.get::<_, Option<_>>(0)?.map(Uuid::from_bytes),
            service_account_id: row.get::<_, Option<_>>(1)?.map(Uuid::from_bytes),
            role: row.get(2)?,
            permissions: row.get(3)?,
            status: row.get(4)?,
            scopes: row.get(5)?,
            expires_at: row.get(6)?,
            secret_hash: row.get(7)?,
            previous_hash: row.get(8)?,
            previous_until: row.get(9)?,
        })
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
    stored.try_into().map_err(broken)
}
