//! The root key, sealed.

use async_trait::async_trait;
use denizen_domain::keys::SealedRoot;
use denizen_domain::keys::store::{RootKeyReads, RootKeyWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::shared::concurrency::Concurrency;
use crate::sql::{execute, fetch_all, row};
use crate::tx::Tx;

#[async_trait]
impl RootKeyReads for Tx {
    async fn sealed_roots(&mut self) -> Result<Vec<SealedRoot>, StoreError> {
        let rows = fetch_all!(self, SealedRootRow, "../store-shared/queries/list_sealed_roots.sql")?;
        Ok(rows.into_iter().map(SealedRoot::from).collect())
    }
}

#[async_trait]
impl RootKeyWrites for Tx {
    async fn insert_first_root(&mut self, root: &SealedRoot) -> Result<bool, StoreError> {
        self.lock_root_keys().await?;
        let at = root.created_at.as_micros();
        Ok(execute!(self, "queries/insert_first_root.sql", root.master_id, root.sealed, at)? == 1)
    }

    async fn put_root(&mut self, root: &SealedRoot) -> Result<(), StoreError> {
        self.lock_root_keys().await?;
        let at = root.created_at.as_micros();
        execute!(self, "../store-shared/queries/put_root.sql", root.master_id, root.sealed, at).map(drop)
    }

    async fn keep_only_root(&mut self, master_id: &str) -> Result<u64, StoreError> {
        // Two that each keep another one would together keep none.
        self.lock_root_keys().await?;
        execute!(self, "../store-shared/queries/keep_only_root.sql", master_id)
    }
}

row! {
    /// A row of `root_keys`.
    struct SealedRootRow {
        master_id: String,
        sealed: Vec<u8>,
        created_at: i64,
    }
}

impl From<SealedRootRow> for SealedRoot {
    fn from(row: SealedRootRow) -> Self {
        Self { master_id: row.master_id, sealed: row.sealed, created_at: Timestamp::from_micros(row.created_at) }
    }
}
