//! What credentials need of a store.

use async_trait::async_trait;

use super::PasswordHash;
use crate::id::UserId;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading password hashes.
#[async_trait]
pub trait PasswordReads {
    /// The user's password hash; `None` when they have no password or do not exist.
    async fn find_password(&mut self, user: UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// The password hashes of users, in any order, by few statements; those who have none are left out.
    async fn passwords_of(&mut self, users: &[UserId]) -> Result<Vec<(UserId, PasswordHash)>, StoreError>;
}

/// Writing password hashes.
#[async_trait]
pub trait PasswordWrites {
    /// Sets or replaces the user's password hash.
    async fn set_password(&mut self, user: UserId, hash: &PasswordHash, at: Timestamp) -> Result<(), StoreError>;

    /// Sets the password hashes of users who have none.
    async fn insert_passwords(
        &mut self,
        passwords: &[(UserId, &PasswordHash)],
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes the user's password, if there is one.
    async fn remove_password(&mut self, user: UserId) -> Result<(), StoreError>;
}
