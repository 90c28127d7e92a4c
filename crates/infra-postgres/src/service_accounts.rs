//! Service accounts in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::id::ServiceAccountId;
use denizen_domain::page::Page;
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::ServiceAccount;
use denizen_domain::service_accounts::store::{ServiceAccountReads, ServiceAccountWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use sqlx::{query, query_file, query_file_as, query_file_scalar};
use uuid::Uuid;

use crate::codec::{Window, status};
use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl ServiceAccountReads for PostgresTx {
    async fn find_service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        let id = id.as_uuid();
        let query = query_file_as!(ServiceAccountRow, "queries/find_service_account.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(ServiceAccount::try_from).transpose()
    }

    async fn list_service_accounts(&mut self, page: Page) -> Result<Vec<ServiceAccount>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = Window::new(page);
        let query = query_file_as!(ServiceAccountRow, "queries/list_service_accounts.sql", at, id, limit, offset);
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        rows.into_iter().map(ServiceAccount::try_from).collect()
    }

    async fn count_service_accounts(&mut self) -> Result<u64, StoreError> {
        let query = query_file_scalar!("queries/count_service_accounts.sql");
        let count = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl ServiceAccountWrites for PostgresTx {
    async fn insert_service_account(&mut self, account: &ServiceAccount) -> Result<(), StoreError> {
        let (id, name, description) = (account.id.as_uuid(), account.name.as_str(), account.description.as_str());
        let (role, status) = (account.role.as_str(), account.status.as_str());
        let (created_at, updated_at) = (account.created_at.as_micros(), account.updated_at.as_micros());
        let query = query_file!(
            "queries/insert_service_account.sql",
            id,
            name,
            description,
            role,
            status,
            created_at,
            updated_at,
            account.version
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn lock_service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        self.lock_authority(id).await?;
        let id = id.as_uuid();
        let query = query_file_as!(ServiceAccountRow, "queries/lock_service_account.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(ServiceAccount::try_from).transpose()
    }

    async fn update_service_account(&mut self, account: &ServiceAccount) -> Result<(), StoreError> {
        let (id, name, description) = (account.id.as_uuid(), account.name.as_str(), account.description.as_str());
        let (role, status) = (account.role.as_str(), account.status.as_str());
        let updated_at = account.updated_at.as_micros();
        let query = query_file!(
            "queries/update_service_account.sql",
            id,
            name,
            description,
            role,
            status,
            updated_at,
            account.version
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Err(store_error(sqlx::Error::RowNotFound));
        }
        self.changed(id);
        Ok(())
    }

    async fn delete_service_account(&mut self, id: ServiceAccountId) -> Result<bool, StoreError> {
        self.lock_authority(id).await?;
        let id = id.as_uuid();
        let query = query!("DELETE FROM service_accounts WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        let is_there = done.rows_affected() == 1;
        if is_there {
            self.changed(id);
        }
        Ok(is_there)
    }
}

/// A row of `service_accounts`.
struct ServiceAccountRow {
    id: Uuid,
    name: String,
    description: String,
    role: String,
    status: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl TryFrom<ServiceAccountRow> for ServiceAccount {
    type Error = StoreError;

    fn try_from(row: ServiceAccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ServiceAccountId::from_uuid(row.id),
            name: DisplayName::from_stored(row.name),
            description: Description::from_stored(row.description),
            role: RoleName::from_stored(row.role),
            status: status(&row.status)?,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            version: row.version,
        })
    }
}
