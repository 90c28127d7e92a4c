//! Roles.

use async_trait::async_trait;
use denizen_domain::id::RoleId;
use denizen_domain::page::Page;
use denizen_domain::roles::store::{RoleReads, RoleWrites};
use denizen_domain::roles::{Description, Role, RoleKey, RoleName, SecondFactorPolicy};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::shared::concurrency::Concurrency;
use crate::shared::page::Window;
use crate::shared::values::require_row;
use crate::sql::{execute, fetch_all, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl RoleReads for Tx {
    async fn find_role(&mut self, key: &RoleKey) -> Result<Option<Role>, StoreError> {
        let found = match key {
            RoleKey::Id(id) => {
                fetch_optional!(self, RoleRow, "../store-shared/queries/find_role.sql", id.as_uuid())
            }
            RoleKey::Name(name) => {
                fetch_optional!(self, RoleRow, "../store-shared/queries/find_role_by_name.sql", name.as_str())
            }
        };
        Ok(found?.map(Role::from))
    }

    async fn list_roles(&mut self, page: Page) -> Result<Vec<Role>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let rows = fetch_all!(self, RoleRow, "queries/list_roles.sql", at, id, limit, offset)?;
        Ok(rows.into_iter().map(Role::from).collect())
    }

    async fn count_roles(&mut self) -> Result<u64, StoreError> {
        let count = fetch_scalar!(self, i64, "../store-shared/queries/count_roles.sql")?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl RoleWrites for Tx {
    async fn insert_role(&mut self, role: &Role) -> Result<bool, StoreError> {
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_role.sql",
            role.id.as_uuid(),
            role.name.as_str(),
            role.description.as_str(),
            role.permissions.to_string(),
            role.created_at.as_micros(),
            role.updated_at.as_micros(),
            role.version,
            stored_second_factor(role),
            role.second_factor.requires_passkey()
        )?;
        if inserted == 0 {
            return Ok(false);
        }
        // Accounts can have the role before there is one: it did nothing until now.
        self.changed_everything();
        Ok(true)
    }

    async fn lock_role(&mut self, key: &RoleKey) -> Result<Option<Role>, StoreError> {
        if !self.lock_role_by(key).await? {
            return Ok(None);
        }
        let found = match key {
            RoleKey::Id(id) => fetch_optional!(self, RoleRow, "queries/lock_role.sql", id.as_uuid()),
            RoleKey::Name(name) => fetch_optional!(self, RoleRow, "queries/lock_role_by_name.sql", name.as_str()),
        };
        Ok(found?.map(Role::from))
    }

    async fn share_role(&mut self, name: &RoleName) -> Result<Option<Role>, StoreError> {
        let row = fetch_optional!(self, RoleRow, "queries/share_role.sql", name.as_str())?;
        Ok(row.map(Role::from))
    }

    async fn update_role(&mut self, role: &Role) -> Result<(), StoreError> {
        let updated = execute!(
            self,
            "../store-shared/queries/update_role.sql",
            role.id.as_uuid(),
            role.description.as_str(),
            role.permissions.to_string(),
            role.updated_at.as_micros(),
            role.version,
            stored_second_factor(role),
            role.second_factor.requires_passkey()
        )?;
        require_row(updated)?;
        self.changed_everything();
        Ok(())
    }

    async fn has_role_holders(&mut self, name: &RoleName) -> Result<bool, StoreError> {
        fetch_scalar!(self, bool, "queries/has_role_holders.sql", name.as_str())
    }

    async fn delete_role(&mut self, id: RoleId) -> Result<(), StoreError> {
        execute!(self, "../store-shared/queries/delete_role.sql", id.as_uuid())?;
        self.changed_everything();
        Ok(())
    }
}

const OPTIONAL: &str = SecondFactorPolicy::Optional.as_str();

/// What the column `second_factor` has: the release before knows `optional` and `required`, and requires a second factor of
/// any kind where a passkey is required.
fn stored_second_factor(role: &Role) -> &'static str {
    if role.second_factor.requires_second_factor() { SecondFactorPolicy::Required.as_str() } else { OPTIONAL }
}

row! {
    /// A row of `roles`.
    struct RoleRow {
        id: Uuid,
        name: String,
        description: String,
        permissions: String,
        second_factor: String,
        requires_passkey: bool,
        created_at: i64,
        updated_at: i64,
        version: i64,
    }
}

impl From<RoleRow> for Role {
    fn from(row: RoleRow) -> Self {
        let name = RoleName::from_stored(row.name);
        Self {
            id: RoleId::from_uuid(row.id),
            permissions: name.permissions(Some(&row.permissions)),
            name,
            second_factor: SecondFactorPolicy::from_stored(row.second_factor != OPTIONAL, row.requires_passkey),
            description: Description::from_stored(row.description),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            version: row.version,
        }
    }
}
