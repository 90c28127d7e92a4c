//! Password hashes.

use async_trait::async_trait;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::credentials::store::{PasswordReads, PasswordWrites};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::sql::{execute, fetch_optional, row};
use crate::tx::Tx;

#[async_trait]
impl PasswordReads for Tx {
    async fn find_password(&mut self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let row = fetch_optional!(self, PasswordRow, "../store-shared/queries/find_password.sql", user.as_uuid())?;
        Ok(row.map(|row| PasswordHash::from_encoded(row.hash)))
    }
}

#[async_trait]
impl PasswordWrites for Tx {
    async fn set_password(&mut self, user: UserId, hash: &PasswordHash, at: Timestamp) -> Result<(), StoreError> {
        let (user, hash, at) = (user.as_uuid(), hash.expose(), at.as_micros());
        execute!(self, "../store-shared/queries/set_password.sql", user, hash, at).map(drop)
    }

    async fn remove_password(&mut self, user: UserId) -> Result<(), StoreError> {
        execute!(self, "../store-shared/queries/remove_password.sql", user.as_uuid()).map(drop)
    }
}

row! {
    /// A row of `queries/find_password.sql`.
    struct PasswordRow {
        hash: String,
    }
}
