//! Signing keys.

use async_trait::async_trait;
use denizen_domain::keys::store::{SigningKeyReads, SigningKeyWrites};
use denizen_domain::keys::{Algorithm, StoredKey};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::error::broken;
use crate::sql::{execute, fetch_all, row};
use crate::tx::Tx;

#[async_trait]
impl SigningKeyReads for Tx {
    async fn signing_keys(&mut self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = fetch_all!(self, SigningKeyRow, "../store-shared/queries/list_signing_keys.sql")?;
        rows.into_iter().map(StoredKey::try_from).collect()
    }
}

#[async_trait]
impl SigningKeyWrites for Tx {
    async fn insert_signing_key(&mut self, key: &StoredKey) -> Result<bool, StoreError> {
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_signing_key.sql",
            key.id,
            key.sequence,
            key.algorithm.as_str(),
            key.public_key,
            key.sealed_private_key,
            key.created_at.as_micros(),
            key.activates_at.as_micros(),
            key.withdrawn_at.map(Timestamp::as_micros)
        )?;
        Ok(inserted == 1)
    }

    async fn withdraw_signing_key(&mut self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/withdraw_signing_key.sql", id, at.as_micros())? == 1)
    }

    async fn delete_signing_key(&mut self, id: &str) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/delete_signing_key.sql", id)? == 1)
    }
}

row! {
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
