//! Signing keys in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::keys::StoredKey;
use denizen_domain::keys::store::{SigningKeyReads, SigningKeyWrites};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::query;

use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl SigningKeyReads for PostgresTx {
    async fn signing_keys(&mut self) -> Result<Vec<StoredKey>, StoreError> {
        let query = query!(
            "SELECT id, sequence, algorithm, public_key, sealed_private_key, created_at
            FROM signing_keys ORDER BY sequence DESC"
        );
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        let keys = rows.into_iter().map(|row| StoredKey {
            id: row.id,
            sequence: row.sequence,
            algorithm: row.algorithm,
            public_key: row.public_key,
            sealed_private_key: row.sealed_private_key,
            created_at: Timestamp::from_micros(row.created_at),
        });
        Ok(keys.collect())
    }
}

#[async_trait]
impl SigningKeyWrites for PostgresTx {
    async fn insert_signing_key(&mut self, key: &StoredKey) -> Result<bool, StoreError> {
        let created_at = key.created_at.as_micros();
        let query = query!(
            "INSERT INTO signing_keys (id, sequence, algorithm, public_key, sealed_private_key, created_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (sequence) DO NOTHING",
            key.id,
            key.sequence,
            key.algorithm,
            key.public_key,
            key.sealed_private_key,
            created_at
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
}
