//! The sealed root key in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::keys::SealedRoot;
use denizen_domain::keys::store::{RootKeyReads, RootKeyWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file};

use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl RootKeyReads for PostgresTx {
    async fn sealed_roots(&mut self) -> Result<Vec<SealedRoot>, StoreError> {
        let query = query_file!("queries/list_sealed_roots.sql");
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        let roots = rows.into_iter().map(|row| SealedRoot {
            master_id: row.master_id,
            sealed: row.sealed,
            created_at: Timestamp::from_micros(row.created_at),
        });
        Ok(roots.collect())
    }
}

#[async_trait]
impl RootKeyWrites for PostgresTx {
    async fn insert_first_root(&mut self, root: &SealedRoot) -> Result<bool, StoreError> {
        self.write_root_alone().await?;
        let created_at = root.created_at.as_micros();
        let query = query_file!("queries/insert_first_root.sql", root.master_id, root.sealed, created_at);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn put_root(&mut self, root: &SealedRoot) -> Result<(), StoreError> {
        self.write_root_alone().await?;
        let created_at = root.created_at.as_micros();
        let query = query_file!("queries/put_root.sql", root.master_id, root.sealed, created_at);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn keep_only_root(&mut self, master_id: &str) -> Result<u64, StoreError> {
        // Two that each keep another one would together keep none.
        self.write_root_alone().await?;
        let query = query_file!("queries/keep_only_root.sql", master_id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

impl PostgresTx {
    /// Nobody else writes from here on: the next statement sees what the holder before committed.
    async fn write_root_alone(&mut self) -> Result<(), StoreError> {
        let lock = query!("LOCK TABLE root_keys IN EXCLUSIVE MODE");
        lock.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }
}
