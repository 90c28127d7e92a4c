//! Outside providers.

use async_trait::async_trait;
use denizen_domain::providers::manage::PROVIDERS_MAX;
use denizen_domain::providers::store::{ProviderReads, ProviderWrites, StoredProvider};
use denizen_domain::providers::{ProviderName, ProviderSettings};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::error::broken;
use crate::sql::{execute, fetch_all, fetch_optional, fetch_optional_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl ProviderReads for Tx {
    async fn find_provider(&mut self, name: &ProviderName) -> Result<Option<StoredProvider>, StoreError> {
        let row = fetch_optional!(self, ProviderRow, "queries/find_provider.sql", name.as_str())?;
        row.map(StoredProvider::try_from).transpose()
    }

    async fn list_providers(&mut self) -> Result<Vec<StoredProvider>, StoreError> {
        let limit = i64::try_from(PROVIDERS_MAX).unwrap_or(i64::MAX);
        let rows = fetch_all!(self, ProviderRow, "queries/list_providers.sql", limit)?;
        rows.into_iter().map(StoredProvider::try_from).collect()
    }
}

#[async_trait]
impl ProviderWrites for Tx {
    async fn share_provider(&mut self, name: &ProviderName) -> Result<Option<bool>, StoreError> {
        fetch_optional_scalar!(self, bool, "queries/share_provider.sql", name.as_str())
    }

    async fn insert_provider(&mut self, provider: &StoredProvider) -> Result<bool, StoreError> {
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_provider.sql",
            provider.name.as_str(),
            document(&provider.settings)?,
            provider.sealed_secret.as_deref(),
            provider.is_enabled,
            provider.created_at.as_micros(),
            provider.updated_at.as_micros(),
            provider.version
        )?;
        Ok(inserted == 1)
    }

    async fn update_provider(&mut self, provider: &StoredProvider) -> Result<bool, StoreError> {
        let updated = execute!(
            self,
            "../store-shared/queries/update_provider.sql",
            provider.name.as_str(),
            document(&provider.settings)?,
            provider.sealed_secret.as_deref(),
            provider.is_enabled,
            provider.updated_at.as_micros(),
            provider.version
        )?;
        Ok(updated == 1)
    }

    async fn delete_provider(&mut self, name: &ProviderName, version: i64) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/delete_provider.sql", name.as_str(), version)? == 1)
    }
}

row! {
    /// A row of `providers`.
    struct ProviderRow {
        name: String,
        document: String,
        sealed_secret: Option<Vec<u8>>,
        is_enabled: bool,
        created_at: i64,
        updated_at: i64,
        version: i64,
    }
}

fn document(settings: &ProviderSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(broken)
}

impl TryFrom<ProviderRow> for StoredProvider {
    type Error = StoreError;

    fn try_from(row: ProviderRow) -> Result<Self, StoreError> {
        Ok(Self {
            name: ProviderName::from_stored(row.name),
            settings: serde_json::from_str(&row.document).map_err(broken)?,
            sealed_secret: row.sealed_secret,
            is_enabled: row.is_enabled,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            version: row.version,
        })
    }
}
