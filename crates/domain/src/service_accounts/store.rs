//! What service accounts need of a store.

use async_trait::async_trait;

use super::ServiceAccount;
use crate::id::ServiceAccountId;
use crate::page::{Count, Page};
use crate::store::StoreError;

/// Reading service accounts.
#[async_trait]
pub trait ServiceAccountReads {
    /// The service account with this id.
    async fn find_service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError>;

    /// The service accounts of one page, newest first.
    async fn list_service_accounts(&mut self, page: Page) -> Result<Vec<ServiceAccount>, StoreError>;

    /// How many service accounts there are, [counted](Count::up_to) up to `max`.
    async fn count_service_accounts(&mut self, max: u64) -> Result<Count, StoreError>;
}

/// Writing service accounts.
#[async_trait]
pub trait ServiceAccountWrites {
    /// Adds a service account.
    async fn insert_service_account(&mut self, account: &ServiceAccount) -> Result<(), StoreError>;

    /// The service account, held against other writers until the transaction ends.
    async fn lock_service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError>;

    /// Replaces a [locked](Self::lock_service_account) service account.
    async fn update_service_account(&mut self, account: &ServiceAccount) -> Result<(), StoreError>;

    /// Removes a service account and its API keys; `false` when there is none.
    async fn delete_service_account(&mut self, id: ServiceAccountId) -> Result<bool, StoreError>;
}
