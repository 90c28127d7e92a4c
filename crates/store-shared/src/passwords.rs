//! Password hashes.

use async_trait::async_trait;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::credentials::store::{PasswordReads, PasswordWrites};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;

use crate::error::broken;
use crate::shared::values::ROWS_AT_ONCE_MAX;
use crate::sql::{execute, execute_bulk, fetch_optional, row};
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

    async fn insert_passwords(
        &mut self,
        passwords: &[(UserId, &PasswordHash)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for passwords in passwords.chunks(ROWS_AT_ONCE_MAX) {
            let rows = passwords.iter().map(|(user, hash)| (user.as_uuid().simple().to_string(), hash.expose()));
            let rows: Vec<_> = rows.collect();
            let rows = serde_json::to_string(&rows).map_err(broken)?;
            execute_bulk!(self, "queries/insert_passwords.sql", rows, at.as_micros())?;
        }
        Ok(())
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
