//! What roles need of a store.

use async_trait::async_trait;

use super::{Role, RoleKey, RoleName};
use crate::id::RoleId;
use crate::page::Page;
use crate::store::StoreError;

/// Reading roles.
#[async_trait]
pub trait RoleReads {
    /// The role with this id or name.
    async fn find_role(&mut self, key: &RoleKey) -> Result<Option<Role>, StoreError>;

    /// The roles of one page, newest first.
    async fn list_roles(&mut self, page: Page) -> Result<Vec<Role>, StoreError>;

    /// How many roles there are.
    async fn count_roles(&mut self) -> Result<u64, StoreError>;
}

/// Writing roles.
#[async_trait]
pub trait RoleWrites {
    /// Adds a role; `false`, and nothing done, when the name is taken.
    async fn insert_role(&mut self, role: &Role) -> Result<bool, StoreError>;

    /// The role, held against other writers, and against [`Self::share_role`], until the transaction ends.
    async fn lock_role(&mut self, key: &RoleKey) -> Result<Option<Role>, StoreError>;

    /// The role with this name, held against change and deletion until the transaction ends, by any number at once.
    async fn share_role(&mut self, name: &RoleName) -> Result<Option<Role>, StoreError>;

    /// Replaces description, permissions, the policy on second factors, `updated_at` and version of a [locked](Self::lock_role) role.
    async fn update_role(&mut self, role: &Role) -> Result<(), StoreError>;

    /// Whether a user or a service account has a [locked](Self::lock_role) role.
    async fn has_role_holders(&mut self, name: &RoleName) -> Result<bool, StoreError>;

    /// Removes a [locked](Self::lock_role) role.
    async fn delete_role(&mut self, id: RoleId) -> Result<(), StoreError>;
}
