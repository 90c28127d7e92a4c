//! Password hashes in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::credentials::store::{PasswordReads, PasswordWrites};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_scalar};

use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl PasswordReads for PostgresTx {
    async fn find_password(&mut self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let user = user.as_uuid();
        let query = query_scalar!("SELECT hash FROM passwords WHERE user_id = $1", user);
        let hash = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(hash.map(PasswordHash::from_encoded))
    }
}

#[async_trait]
impl PasswordWrites for PostgresTx {
    async fn set_password(&mut self, user: UserId, hash: &PasswordHash, at: Timestamp) -> Result<(), StoreError> {
        let (user, hash, at) = (user.as_uuid(), hash.expose(), at.as_micros());
        let query = query!(
            "INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
            user,
            hash,
            at
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn remove_password(&mut self, user: UserId) -> Result<(), StoreError> {
        let user = user.as_uuid();
        let query = query!("DELETE FROM passwords WHERE user_id = $1", user);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }
}
