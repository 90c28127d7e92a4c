//! Password hashes.

use async_trait::async_trait;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::credentials::store::{PasswordReads, PasswordWrites};
use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::shared::values::{ROWS_AT_ONCE_MAX, ids_json, rows_json};
use crate::sql::{execute, execute_bulk, fetch_all, fetch_optional, row};
use crate::tx::Tx;

#[async_trait]
impl PasswordReads for Tx {
    async fn find_password(&mut self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let row = fetch_optional!(self, PasswordRow, "../store-shared/queries/find_password.sql", user.as_uuid())?;
        Ok(row.map(|row| PasswordHash::from_encoded(row.hash)))
    }

    async fn passwords_of(&mut self, users: &[UserId]) -> Result<Vec<(UserId, PasswordHash)>, StoreError> {
        let mut passwords = Vec::with_capacity(users.len());
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(users)?;
            let rows = fetch_all!(self, UserPasswordRow, "queries/passwords_of.sql", ids)?;
            let read = |row: UserPasswordRow| (UserId::from_uuid(row.user_id), PasswordHash::from_encoded(row.hash));
            passwords.extend(rows.into_iter().map(read));
        }
        Ok(passwords)
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
            let rows = rows_json(&rows.collect::<Vec<_>>())?;
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

row! {
    /// A row of `queries/passwords_of.sql`.
    struct UserPasswordRow {
        user_id: Uuid,
        hash: String,
    }
}
