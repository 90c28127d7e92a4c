//! Service accounts.

use async_trait::async_trait;
use denizen_domain::id::ServiceAccountId;
use denizen_domain::page::{Count, Page};
use denizen_domain::roles::{Description, RoleName};
use denizen_domain::service_accounts::ServiceAccount;
use denizen_domain::service_accounts::store::{ServiceAccountReads, ServiceAccountWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::DisplayName;
use uuid::Uuid;

use crate::shared::concurrency::Concurrency;
use crate::shared::page::{Window, count_limit};
use crate::shared::values::{require_row, status};
use crate::sql::{execute, fetch_all, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl ServiceAccountReads for Tx {
    async fn find_service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        let row =
            fetch_optional!(self, ServiceAccountRow, "../store-shared/queries/find_service_account.sql", id.as_uuid());
        row?.map(ServiceAccount::try_from).transpose()
    }

    async fn list_service_accounts(&mut self, page: Page) -> Result<Vec<ServiceAccount>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let rows = fetch_all!(self, ServiceAccountRow, "queries/list_service_accounts.sql", at, id, limit, offset)?;
        rows.into_iter().map(ServiceAccount::try_from).collect()
    }

    async fn count_service_accounts(&mut self, max: u64) -> Result<Count, StoreError> {
        let limit = count_limit(max);
        let counted = fetch_scalar!(self, i64, "../store-shared/queries/count_service_accounts.sql", limit)?;
        Ok(Count::up_to(max, counted.cast_unsigned()))
    }
}

#[async_trait]
impl ServiceAccountWrites for Tx {
    async fn insert_service_account(&mut self, account: &ServiceAccount) -> Result<(), StoreError> {
        execute!(
            self,
            "../store-shared/queries/insert_service_account.sql",
            account.id.as_uuid(),
            account.name.as_str(),
            account.description.as_str(),
            account.role.as_str(),
            account.status.as_str(),
            account.created_at.as_micros(),
            account.updated_at.as_micros(),
            account.version
        )
        .map(drop)
    }

    async fn lock_service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        self.lock_authority(id).await?;
        let row = fetch_optional!(self, ServiceAccountRow, "queries/lock_service_account.sql", id.as_uuid())?;
        row.map(ServiceAccount::try_from).transpose()
    }

    async fn update_service_account(&mut self, account: &ServiceAccount) -> Result<(), StoreError> {
        let id = account.id.as_uuid();
        let updated = execute!(
            self,
            "../store-shared/queries/update_service_account.sql",
            id,
            account.name.as_str(),
            account.description.as_str(),
            account.role.as_str(),
            account.status.as_str(),
            account.updated_at.as_micros(),
            account.version
        )?;
        require_row(updated)?;
        self.changed(id);
        Ok(())
    }

    async fn delete_service_account(&mut self, id: ServiceAccountId) -> Result<bool, StoreError> {
        self.lock_authority(id).await?;
        let id = id.as_uuid();
        let is_there = execute!(self, "../store-shared/queries/delete_service_account.sql", id)? == 1;
        if is_there {
            self.changed(id);
        }
        Ok(is_there)
    }
}

row! {
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
