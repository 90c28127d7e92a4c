//! Signing keys in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::keys::store::{SigningKeyReads, SigningKeyWrites};
use denizen_domain::keys::{Algorithm, StoredKey};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file, query_file_as};

use crate::error::{broken, store_error};
use crate::tx::PostgresTx;

#[async_trait]
impl SigningKeyReads for PostgresTx {
    async fn signing_keys(&mut self) -> Result<Vec<StoredKey>, StoreError> {
        let query = query_file_as!(SigningKeyRow, "queries/list_signing_keys.sql");
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        rows.into_iter().map(StoredKey::try_from).collect()
    }
}

#[async_trait]
impl SigningKeyWrites for PostgresTx {
    async fn insert_signing_key(&mut self, key: &StoredKey) -> Result<bool, StoreError> {
        let query = query_file!(
            "queries/insert_signing_key.sql",
            key.id,
            key.sequence,
            key.algorithm.as_str(),
            key.public_key,
            key.sealed_private_key,
            key.created_at.as_micros(),
            key.activates_at.as_micros(),
            key.withdrawn_at.map(Timestamp::as_micros)
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn withdraw_signing_key(&mut self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let query = query!(
            "UPDATE signing_keys SET withdrawn_at = $2 WHERE id = $1 AND withdrawn_at IS NULL",
            id,
            at.as_micros()
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_signing_key(&mut self, id: &str) -> Result<bool, StoreError> {
        let query = query!("DELETE FROM signing_keys WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
}

/// A row of `signing_keys`.
struct SigningKeyRow {
    id: String,
    sequence: i64,
    algorithm: String,
    public_key: Vec<u8>,
    sealed_private_key: Vec<u8>,
    created_at: i64,
    activates_at: i64,
    withdrawn_at: Option<i64>,
}

impl TryFrom<SigningKeyRow> for StoredKey {
    type Error = StoreError;

    fn try_from(row: SigningKeyRow) -> Result<Self, StoreError> {
        let algorithm = Algorithm::parse(&row.algorithm)
            .ok_or_else(|| broken(format!("the stored algorithm {:?} is unknown", row.algorithm)))?;
        Ok(Self {
            id: row.id,
            sequence: row.sequence,
            algorithm,
            public_key: row.public_key,
            sealed_private_key: row.sealed_private_key,
            created_at: Timestamp::from_micros(row.created_at),
            activates_at: Timestamp::from_micros(row.activates_at),
            withdrawn_at: row.withdrawn_at.map(Timestamp::from_micros),
        })
    }
}
