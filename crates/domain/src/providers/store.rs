//! What providers need of a store.

use async_trait::async_trait;

use super::{ProviderName, ProviderSettings};
use crate::store::StoreError;
use crate::time::Timestamp;

/// A provider of the database.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredProvider {
    /// Unique name.
    pub name: ProviderName,
    /// The settings.
    pub settings: ProviderSettings,
    /// The client secret, sealed under the master key and bound to the name.
    pub sealed_secret: Option<Vec<u8>>,
    /// Whether users can sign in with it.
    pub is_enabled: bool,
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Increases with each change.
    pub version: i64,
}

/// Reading providers.
#[async_trait]
pub trait ProviderReads {
    /// The provider of this name, enabled or not.
    async fn find_provider(&mut self, name: &ProviderName) -> Result<Option<StoredProvider>, StoreError>;

    /// All providers, by name; at most [`super::manage::PROVIDERS_MAX`].
    async fn list_providers(&mut self) -> Result<Vec<StoredProvider>, StoreError>;
}

/// Writing providers.
#[async_trait]
pub trait ProviderWrites {
    /// Whether the provider is enabled, which does not change before the transaction ends; `None` if there is none.
    async fn share_provider(&mut self, name: &ProviderName) -> Result<Option<bool>, StoreError>;

    /// Adds a provider; `false`, and nothing done, when the name is taken.
    async fn insert_provider(&mut self, provider: &StoredProvider) -> Result<bool, StoreError>;

    /// Replaces settings, secret, state, time and version; `false`, and nothing done, unless it has the version before.
    async fn update_provider(&mut self, provider: &StoredProvider) -> Result<bool, StoreError>;

    /// Removes the provider of this version; `false` when there is no such one.
    async fn delete_provider(&mut self, name: &ProviderName, version: i64) -> Result<bool, StoreError>;
}
