//! What identities need of a store.

use async_trait::async_trait;

use super::Identity;
use crate::id::{IdentityId, UserId};
use crate::store::StoreError;

/// Reading identities.
#[async_trait]
pub trait IdentityReads {
    /// The identity of this issuer and subject.
    async fn find_identity(&mut self, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError>;

    /// The user's identities, oldest first, at most [`super::IDENTITIES_MAX`].
    async fn list_identities(&mut self, user: UserId) -> Result<Vec<Identity>, StoreError>;
}

/// Writing identities.
#[async_trait]
pub trait IdentityWrites {
    /// Adds an identity; `false`, and nothing done, when its issuer and subject are linked already.
    async fn insert_identity(&mut self, identity: &Identity) -> Result<bool, StoreError>;

    /// Updates provider, email address and last use of an identity; `false` when it is no longer there.
    async fn update_identity(&mut self, identity: &Identity) -> Result<bool, StoreError>;

    /// Removes an identity of the user; `false` when there is no such one.
    async fn remove_identity(&mut self, user: UserId, id: IdentityId) -> Result<bool, StoreError>;
}
