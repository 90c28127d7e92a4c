//! Users.

use async_trait::async_trait;
use denizen_domain::id::UserId;
use denizen_domain::page::{Count, Page, Start};
use denizen_domain::roles::RoleName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::store::{UserReads, UserWrites};
use denizen_domain::users::{Deletion, DisplayName, EmailAddress, Locale, Status, User, UserFilter};
use uuid::Uuid;

use super::prefix::PrefixRange;
use crate::error::broken;
use crate::shared::concurrency::Concurrency;
use crate::shared::page::{Window, count_limit};
use crate::shared::users_search::Search;
use crate::shared::values::{
    ROWS_AT_ONCE_MAX, attributes, attributes_json, created_after, ids_json, name_key, require_row, status,
};
use crate::sql::{
    execute, execute_unless_taken, fetch_all, fetch_all_scalars, fetch_optional, fetch_optional_scalar, fetch_scalar,
    row,
};
use crate::tx::Tx;

#[async_trait]
impl UserReads for Tx {
    async fn find_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.recent_user(id.as_uuid()).await
    }

    async fn find_user_by_email(&mut self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        let row = fetch_optional!(self, UserRow, "../store-shared/queries/find_user_by_email.sql", email.as_str())?;
        row.map(User::try_from).transpose()
    }

    async fn devices_since(&mut self, id: UserId) -> Result<Option<Timestamp>, StoreError> {
        let since =
            fetch_optional_scalar!(self, Option<i64>, "../store-shared/queries/devices_since.sql", id.as_uuid())?;
        Ok(since.flatten().map(Timestamp::from_micros))
    }

    async fn find_users(&mut self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let mut users = Vec::with_capacity(ids.len());
        for ids in ids.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(ids)?;
            let rows = fetch_all!(self, UserRow, "queries/find_users.sql", ids)?;
            users.extend(rows.into_iter().map(User::try_from).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(users)
    }

    async fn list_users(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<User>, StoreError> {
        self.plan_for_values().await?;
        let rows = self.user_rows(filter, page).await;
        let restored = self.plan_as_usual().await;
        rows.and_then(|rows| restored.map(|()| rows))?.into_iter().map(User::try_from).collect()
    }

    async fn count_users(&mut self, filter: &UserFilter, max: u64) -> Result<Count, StoreError> {
        self.plan_for_values().await?;
        let count = self.user_count(filter, max).await;
        let restored = self.plan_as_usual().await;
        count.and_then(|count| restored.map(|()| count))
    }
}

#[async_trait]
impl UserWrites for Tx {
    async fn insert_user(&mut self, user: &User) -> Result<bool, StoreError> {
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_user.sql",
            user.id.as_uuid(),
            user.email.as_str(),
            user.email_verified,
            user.name.as_str(),
            name_key(&user.name),
            user.role.as_str(),
            user.status.as_str(),
            attributes_json(&user.attributes)?,
            user.created_at.as_micros(),
            user.updated_at.as_micros(),
            user.last_sign_in_at.map(Timestamp::as_micros),
            user.version,
            user.locale.as_ref().map(Locale::as_str),
            attributes_json(&user.app_attributes)?,
            user.deletion.map(|deletion| deletion.after.as_micros()),
            user.deletion.map(|deletion| deletion.status_before.as_str())
        )?;
        Ok(inserted == 1)
    }

    async fn insert_users(&mut self, users: &[&User]) -> Result<Vec<UserId>, StoreError> {
        let mut inserted = Vec::with_capacity(users.len());
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let rows = users.iter().map(|user| {
                Ok((
                    user.id.as_uuid().simple().to_string(),
                    user.email.as_str(),
                    user.email_verified,
                    user.name.as_str(),
                    name_key(&user.name),
                    user.role.as_str(),
                    user.status.as_str(),
                    attributes_json(&user.attributes)?,
                    user.created_at.as_micros(),
                    user.updated_at.as_micros(),
                    user.last_sign_in_at.map(Timestamp::as_micros),
                    user.version,
                    user.locale.as_ref().map(Locale::as_str),
                    attributes_json(&user.app_attributes)?,
                    user.deletion.map(|deletion| deletion.after.as_micros()),
                    user.deletion.map(|deletion| deletion.status_before.as_str()),
                ))
            });
            let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
            let rows = serde_json::to_string(&rows).map_err(broken)?;
            let ids = fetch_all_scalars!(self, Uuid, "queries/insert_users.sql", rows)?;
            inserted.extend(ids.into_iter().map(UserId::from_uuid));
        }
        Ok(inserted)
    }

    async fn lock_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.lock_authority(id).await?;
        if let Some(user) = self.user_read_ahead(id) {
            return Ok(Some(user));
        }
        let row = fetch_optional!(self, UserRow, "queries/lock_user.sql", id.as_uuid())?;
        row.map(User::try_from).transpose()
    }

    async fn update_user(&mut self, user: &User) -> Result<bool, StoreError> {
        let id = user.id.as_uuid();
        let updated = execute_unless_taken!(
            self,
            "../store-shared/queries/update_user.sql",
            id,
            user.email.as_str(),
            user.email_verified,
            user.name.as_str(),
            name_key(&user.name),
            user.role.as_str(),
            user.status.as_str(),
            attributes_json(&user.attributes)?,
            user.updated_at.as_micros(),
            user.last_sign_in_at.map(Timestamp::as_micros),
            user.version,
            user.locale.as_ref().map(Locale::as_str),
            attributes_json(&user.app_attributes)?,
            user.deletion.map(|deletion| deletion.after.as_micros()),
            user.deletion.map(|deletion| deletion.status_before.as_str())
        )?;
        let Some(updated) = updated else { return Ok(false) };
        require_row(updated)?;
        self.changed(id);
        Ok(true)
    }

    async fn delete_user(&mut self, id: UserId) -> Result<bool, StoreError> {
        self.lock_authority(id).await?;
        let id = id.as_uuid();
        let is_there = execute!(self, "../store-shared/queries/delete_user.sql", id)? == 1;
        if is_there {
            self.changed(id);
        }
        Ok(is_there)
    }

    async fn take_due_deletions(
        &mut self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        let (now, until, limit) = (now.as_micros(), until.as_micros(), i64::from(limit));
        let ids = fetch_all_scalars!(self, Uuid, "queries/take_due_deletions.sql", now, until, limit)?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }

    async fn record_sign_in(&mut self, id: UserId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.as_uuid();
        self.changed_here(id);
        execute!(self, "../store-shared/queries/record_sign_in.sql", id, at.as_micros()).map(drop)
    }

    async fn forget_devices(&mut self, id: UserId, at: Timestamp) -> Result<(), StoreError> {
        execute!(self, "../store-shared/queries/forget_devices.sql", id.as_uuid(), at.as_micros()).map(drop)
    }

    async fn has_other_active_admin(&mut self, id: UserId) -> Result<bool, StoreError> {
        self.lock_administrators().await?;
        let (admin, active) = (RoleName::admin(), Status::Active.as_str());
        fetch_scalar!(self, bool, "queries/has_other_active_admin.sql", admin.as_str(), active, id.as_uuid())
    }
}

/// Lists. The most selective filter picks the query, and with it the index; the others narrow it. Which one that is depends on
/// the data when a prefix is among them: see [`Search`].
impl Tx {
    /// The rows of one page, newest first.
    pub(crate) async fn user_rows(&mut self, filter: &UserFilter, page: Page) -> Result<Vec<UserRow>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let since = created_after(filter);
        let role = filter.role.as_ref().map(RoleName::as_str);
        let status = filter.status.map(Status::as_str);
        let range = PrefixRange::of(filter);
        let (from, to) = range.as_ref().map(|range| (range.from.as_str(), range.to.as_str())).unzip();
        macro_rules! list {
            ($file:literal $(, $more:expr)*) => {
                fetch_all!(self, UserRow, $file, at, id, since, limit, offset $(, $more)*)
            };
        }

        if let Some(email) = filter.email.as_ref().map(EmailAddress::as_str) {
            return list!("queries/list_users_by_email.sql", email, role, status, from, to);
        }
        if let Some(range) = &range {
            let window = Window { before_created_at: at, before_id: id, limit, offset };
            return Search { window, since, range, role, status }.page(self).await;
        }
        match (role, status) {
            (Some(role), Some(status)) => list!("queries/list_users_by_role_status.sql", role, status, from, to),
            (Some(role), None) => list!("queries/list_users_by_role.sql", role, from, to),
            (None, Some(status)) => list!("queries/list_users_by_status.sql", status, from, to),
            (None, None) => list!("queries/list_users.sql"),
        }
    }

    /// How many users pass the filter, counted up to a bound.
    pub(crate) async fn user_count(&mut self, filter: &UserFilter, max: u64) -> Result<Count, StoreError> {
        let since = created_after(filter);
        let role = filter.role.as_ref().map(RoleName::as_str);
        let status = filter.status.map(Status::as_str);
        let range = PrefixRange::of(filter);
        let (from, to) = range.as_ref().map(|range| (range.from.as_str(), range.to.as_str())).unzip();
        let limit = count_limit(max);
        macro_rules! count {
            ($file:literal $(, $values:expr)*) => {
                fetch_scalar!(self, i64, $file $(, $values)*)?
            };
        }

        let counted = if let Some(email) = filter.email.as_ref().map(EmailAddress::as_str) {
            count!("queries/count_users_by_email.sql", since, email, role, status, from, to)
        } else if let Some(range) = &range {
            let window = Window::from(Page { limit: 1, start: Start::Offset(0) });
            return Search { window, since, range, role, status }.count(self, limit).await;
        } else {
            match (role, status) {
                (Some(role), Some(status)) => {
                    count!("queries/count_users_by_role_status.sql", limit, since, role, status)
                }
                (Some(role), None) => count!("queries/count_users_by_role.sql", limit, since, role),
                (None, Some(status)) => count!("queries/count_users_by_status.sql", limit, since, status),
                (None, None) => count!("queries/count_users.sql", limit, since),
            }
        };
        Ok(Count::up_to(max, counted.cast_unsigned()))
    }
}

row! {
    /// A row of `users`.
    pub(crate) struct UserRow {
        pub(crate) id: Uuid,
        pub(crate) email: String,
        pub(crate) email_verified: bool,
        pub(crate) name: String,
        pub(crate) role: String,
        pub(crate) status: String,
        pub(crate) created_at: i64,
        pub(crate) updated_at: i64,
        pub(crate) last_sign_in_at: Option<i64>,
        pub(crate) version: i64,
        pub(crate) locale: Option<String>,
        pub(crate) attributes: String,
        pub(crate) app_attributes: String,
        pub(crate) delete_after: Option<i64>,
        pub(crate) status_before_deletion: Option<String>,
    }
}

/// The scheduled deletion. A node of the previous release that enables a user leaves it in the row.
fn deletion(row: &UserRow) -> Result<Option<Deletion>, StoreError> {
    let (Some(after), Some(status_before)) = (row.delete_after, &row.status_before_deletion) else { return Ok(None) };
    let deletion = Deletion { after: Timestamp::from_micros(after), status_before: status(status_before)? };
    Ok(Some(deletion).filter(|_| row.status == Status::Disabled.as_str()))
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let deletion = deletion(&row)?;
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: EmailAddress::from_stored(row.email),
            email_verified: row.email_verified,
            name: DisplayName::from_stored(row.name),
            role: RoleName::from_stored(row.role),
            status: status(&row.status)?,
            locale: row.locale.map(Locale::from_stored),
            attributes: attributes(&row.attributes)?,
            app_attributes: attributes(&row.app_attributes)?,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            last_sign_in_at: row.last_sign_in_at.map(Timestamp::from_micros),
            version: row.version,
            deletion,
        })
    }
}
