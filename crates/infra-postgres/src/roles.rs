//! Roles in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::id::RoleId;
use denizen_domain::page::Page;
use denizen_domain::roles::store::{RoleReads, RoleWrites};
use denizen_domain::roles::{Description, Role, RoleKey, RoleName, SecondFactorPolicy};
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use sqlx::{query, query_file, query_file_as, query_file_scalar};
use uuid::Uuid;

use crate::codec::Window;
use crate::error::store_error;
use crate::tx::PostgresTx;

#[async_trait]
impl RoleReads for PostgresTx {
    async fn find_role(&mut self, key: &RoleKey) -> Result<Option<Role>, StoreError> {
        let connection = self.connection().await?;
        let found = match key {
            RoleKey::Id(id) => {
                let id = id.as_uuid();
                query_file_as!(RoleRow, "queries/find_role.sql", id).fetch_optional(connection).await
            }
            RoleKey::Name(name) => {
                let name = name.as_str();
                query_file_as!(RoleRow, "queries/find_role_by_name.sql", name).fetch_optional(connection).await
            }
        };
        Ok(found.map_err(store_error)?.map(Role::from))
    }

    async fn list_roles(&mut self, page: Page) -> Result<Vec<Role>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = Window::new(page);
        let query = query_file_as!(RoleRow, "queries/list_roles.sql", at, id, limit, offset);
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(rows.into_iter().map(Role::from).collect())
    }

    async fn count_roles(&mut self) -> Result<u64, StoreError> {
        let query = query_file_scalar!("queries/count_roles.sql");
        let count = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl RoleWrites for PostgresTx {
    async fn insert_role(&mut self, role: &Role) -> Result<bool, StoreError> {
        let (id, name, permissions) = (role.id.as_uuid(), role.name.as_str(), role.permissions.to_string());
        let second_factor = role.second_factor.as_str();
        let (created_at, updated_at) = (role.created_at.as_micros(), role.updated_at.as_micros());
        let description = role.description.as_str();
        let query = query_file!(
            "queries/insert_role.sql",
            id,
            name,
            description,
            permissions,
            created_at,
            updated_at,
            role.version,
            second_factor
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        // Accounts can have the role before there is one: it did nothing until now.
        self.changed_everything();
        Ok(true)
    }

    async fn lock_role(&mut self, key: &RoleKey) -> Result<Option<Role>, StoreError> {
        let name = match key {
            RoleKey::Id(_) => self.find_role(key).await?.map(|role| role.name),
            RoleKey::Name(name) => Some(name.clone()),
        };
        let Some(name) = name else { return Ok(None) };
        self.lock_authority(name).await?;
        let connection = self.connection().await?;
        let found = match key {
            RoleKey::Id(id) => {
                let id = id.as_uuid();
                query_file_as!(RoleRow, "queries/lock_role.sql", id).fetch_optional(connection).await
            }
            RoleKey::Name(name) => {
                let name = name.as_str();
                query_file_as!(RoleRow, "queries/lock_role_by_name.sql", name).fetch_optional(connection).await
            }
        };
        Ok(found.map_err(store_error)?.map(Role::from))
    }

    async fn share_role(&mut self, name: &RoleName) -> Result<Option<Role>, StoreError> {
        let name = name.as_str();
        let query = query_file_as!(RoleRow, "queries/share_role.sql", name);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.map(Role::from))
    }

    async fn update_role(&mut self, role: &Role) -> Result<(), StoreError> {
        let (id, description, permissions) =
            (role.id.as_uuid(), role.description.as_str(), role.permissions.to_string());
        let updated_at = role.updated_at.as_micros();
        let second_factor = role.second_factor.as_str();
        let query = query_file!(
            "queries/update_role.sql",
            id,
            description,
            permissions,
            updated_at,
            role.version,
            second_factor
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Err(store_error(sqlx::Error::RowNotFound));
        }
        self.changed_everything();
        Ok(())
    }

    async fn has_role_holders(&mut self, name: &RoleName) -> Result<bool, StoreError> {
        let name = name.as_str();
        let query = query_file_scalar!("queries/has_role_holders.sql", name);
        query.fetch_one(self.connection().await?).await.map_err(store_error)
    }

    async fn delete_role(&mut self, id: RoleId) -> Result<(), StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM roles WHERE id = $1", id);
        query.execute(self.connection().await?).await.map_err(store_error)?;
        self.changed_everything();
        Ok(())
    }
}

/// A row of `roles`.
struct RoleRow {
    id: Uuid,
    name: String,
    description: String,
    permissions: String,
    second_factor: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl From<RoleRow> for Role {
    fn from(row: RoleRow) -> Self {
        let name = RoleName::from_stored(row.name);
        Self {
            id: RoleId::from_uuid(row.id),
            permissions: name.permissions(Some(&row.permissions)),
            name,
            second_factor: SecondFactorPolicy::parse(&row.second_factor).unwrap_or(SecondFactorPolicy::Required),
            description: Description::from_stored(row.description),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            version: row.version,
        }
    }
}
