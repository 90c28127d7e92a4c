//! Password hashes in SQLite.

use async_trait::async_trait;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::credentials::store::{PasswordReads, PasswordWrites};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file, query_file_scalar};

use crate::error::store_error;
use crate::tx::SqliteTx;

#[async_trait]
impl PasswordReads for SqliteTx {
    async fn find_password(&mut self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let user = user.as_uuid();
        let sql = include_str!("../queries/find_password.sql");
        if let Ok(found) = self.find_in_place(sql, &user.as_bytes().as_slice(), |row| row.get(0)) {
            return Ok(found.map(PasswordHash::from_encoded));
        }
        let query = query_file_scalar!("queries/find_password.sql", user);
        let hash = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(hash.map(PasswordHash::from_encoded))
    }
}

#[async_trait]
impl PasswordWrites for SqliteTx {
    async fn set_password(&mut self, user: UserId, hash: &PasswordHash, at: Timestamp) -> Result<(), StoreError> {
        let (user, hash, at) = (user.as_uuid(), hash.expose(), at.as_micros());
        let query = query_file!("queries/set_password.sql", user, hash, at);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn remove_password(&mut self, user: UserId) -> Result<(), StoreError> {
        let user = user.as_uuid();
        let query = query!("DELETE FROM passwords WHERE user_id = $1", user);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }
}
