//! Users in SQLite.

use async_trait::async_trait;
use denizen_domain::id::UserId;
use denizen_domain::page::Page;
use denizen_domain::roles::RoleName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::store::{UserReads, UserWrites};
use denizen_domain::users::{EmailAddress, Locale, Status, User, UserFilter};
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::codec::{UserRow, attributes_json, name_key};
use crate::error::store_error;
use crate::recent::Recent;
use crate::tx::SqliteTx;
use crate::users_list;

#[async_trait]
impl UserReads for SqliteTx {
    async fn find_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let id = id.as_uuid();
        if let Some(recent) = self.recent().and_then(|recent| recent.get(id)) {
            return Ok(Some(recent));
        }
        let reading = self.recent().map(Recent::begin);
        let sql = include_str!("../queries/find_user.sql");
        if let Ok(found) = self.find_in_place(sql, &id.as_bytes().as_slice(), UserRow::read_in_place) {
            let bytes = found.as_ref().map_or(0, |row| row.attributes.len());
            let user = found.map(User::try_from).transpose()?;
            if let (Some(recent), Some(reading), Some(user)) = (self.recent(), reading, &user) {
                recent.remember(id, user, bytes, reading);
            }
            return Ok(user);
        }
        let query = query_file_as!(UserRow, "queries/find_user.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(User::try_from).transpose()
    }

    async fn find_user_by_email(&mut self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        let email = email.as_str();
        let sql = include_str!("../queries/find_user_by_email.sql");
        if let Ok(found) = self.find_in_place(sql, &email, UserRow::read_in_place) {
            return found.map(User::try_from).transpose();
        }
        let query = query_file_as!(UserRow, "queries/find_user_by_email.sql", email);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(User::try_from).transpose()
    }

    async fn devices_since(&mut self, id: UserId) -> Result<Option<Timestamp>, StoreError> {
        let id = id.as_uuid();
        let query = query_scalar!("SELECT devices_since FROM users WHERE id = $1", id);
        let since = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(since.flatten().map(Timestamp::from_micros))
    }

    async fn list_users(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>, StoreError> {
        let rows = users_list::page(self.connection().await?, filter, page).await.map_err(store_error)?;
        rows.into_iter().map(User::try_from).collect()
    }

    async fn count_users(&mut self, filter: &UserFilter) -> Result<u64, StoreError> {
        let count = users_list::count(self.connection().await?, filter).await.map_err(store_error)?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl UserWrites for SqliteTx {
    async fn insert_user(&mut self, user: &User) -> Result<bool, StoreError> {
        let row = ColumnsOf::new(user)?;
        let created_at = user.created_at.as_micros();
        let query = query_file!(
            "queries/insert_user.sql",
            row.id,
            row.email,
            user.email_verified,
            row.name,
            row.name_key,
            row.role,
            row.status,
            row.attributes,
            created_at,
            row.updated_at,
            row.last_sign_in_at,
            user.version,
            row.locale
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn lock_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        // A write transaction holds the whole database against other writers already.
        self.find_user(id).await
    }

    async fn update_user(&mut self, user: &User) -> Result<bool, StoreError> {
        let row = ColumnsOf::new(user)?;
        let query = query_file!(
            "queries/update_user.sql",
            row.id,
            row.email,
            user.email_verified,
            row.name,
            row.name_key,
            row.role,
            row.status,
            row.attributes,
            row.updated_at,
            row.last_sign_in_at,
            user.version,
            row.locale
        );
        match query.execute(self.connection().await?).await {
            Ok(done) if done.rows_affected() == 1 => Ok(true),
            Ok(_) => Err(store_error(sqlx::Error::RowNotFound)),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn delete_user(&mut self, id: UserId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM users WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn record_sign_in(&mut self, id: UserId, at: Timestamp) -> Result<(), StoreError> {
        let (id, at) = (id.as_uuid(), at.as_micros());
        let query = query_file!("queries/record_sign_in.sql", id, at);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn forget_devices(&mut self, id: UserId, at: Timestamp) -> Result<(), StoreError> {
        let (id, at) = (id.as_uuid(), at.as_micros());
        let query =
            query!("UPDATE users SET devices_since = max($2, coalesce(last_sign_in_at + 1, $2)) WHERE id = $1", id, at);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn has_other_active_admin(&mut self, id: UserId) -> Result<bool, StoreError> {
        let (admin, active, id) = (RoleName::admin(), Status::Active.as_str(), id.as_uuid());
        let role = admin.as_str();
        let query = query_file_scalar!("queries/has_other_active_admin.sql", role, active, id);
        query.fetch_one(self.connection().await?).await.map_err(store_error)
    }
}

/// A user as the columns of its row.
struct ColumnsOf<'a> {
    id: Uuid,
    email: &'a str,
    name: &'a str,
    name_key: String,
    role: &'a str,
    status: &'static str,
    attributes: String,
    updated_at: i64,
    last_sign_in_at: Option<i64>,
    locale: Option<&'a str>,
}

impl<'a> ColumnsOf<'a> {
    fn new(user: &'a User) -> Result<Self, StoreError> {
        Ok(Self {
            id: user.id.as_uuid(),
            email: user.email.as_str(),
            name: user.name.as_str(),
            name_key: name_key(&user.name),
            role: user.role.as_str(),
            status: user.status.as_str(),
            attributes: attributes_json(&user.attributes)?,
            updated_at: user.updated_at.as_micros(),
            last_sign_in_at: user.last_sign_in_at.map(Timestamp::as_micros),
            locale: user.locale.as_ref().map(Locale::as_str),
        })
    }
}
