//! Lists of users. The most selective filter picks the query, and with it the index; the others narrow it. Which one that is
//! depends on the data when a prefix is among them (`users_list_prefix`).

use denizen_domain::page::Page;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{EmailAddress, Status, UserFilter};
use sqlx::{SqliteConnection, query_file_as, query_file_scalar};
use uuid::Uuid;

use crate::codec::{PrefixRange, UserRow, Window, created_after};
use crate::users_list_prefix::Search;

/// The rows of one page, newest first.
pub(crate) async fn page(
    connection: &mut SqliteConnection,
    filter: &UserFilter,
    page: Page,
) -> sqlx::Result<Vec<UserRow>> {
    let Window { before_created_at: at, before_id: id, limit, offset } = Window::from(page);
    let since = created_after(filter);
    let role = filter.role.as_ref().map(RoleName::as_str);
    let status = filter.status.map(Status::as_str);
    let range = PrefixRange::of(filter);
    let (from, to) = bounds(range.as_ref());

    if let Some(email) = filter.email.as_ref().map(EmailAddress::as_str) {
        let sql = query_file_as!(
            UserRow,
            "queries/list_users_by_email.sql",
            at,
            id,
            since,
            limit,
            offset,
            email,
            role,
            status,
            from,
            to
        );
        return sql.fetch_all(connection).await;
    }
    let window = Window { before_created_at: at, before_id: id, limit, offset };
    if let Some(range) = &range {
        return Search { window, since, range, role, status }.page(connection).await;
    }
    match (role, status) {
        (Some(role), Some(status)) => by_role_status(connection, &window, since, (role, status), None).await,
        (Some(role), None) => by_role(connection, &window, since, role, None).await,
        (None, Some(status)) => by_status(connection, &window, since, status, None).await,
        (None, None) => {
            query_file_as!(UserRow, "queries/list_users.sql", at, id, since, limit, offset).fetch_all(connection).await
        }
    }
}

/// The users with a role and a status, and with the prefix if one is given.
pub(crate) async fn by_role_status(
    connection: &mut SqliteConnection,
    window: &Window,
    since: i64,
    (role, status): (&str, &str),
    range: Option<&PrefixRange>,
) -> sqlx::Result<Vec<UserRow>> {
    let (from, to) = bounds(range);
    let query = query_file_as!(
        UserRow,
        "queries/list_users_by_role_status.sql",
        window.before_created_at,
        window.before_id,
        since,
        window.limit,
        window.offset,
        role,
        status,
        from,
        to
    );
    query.fetch_all(connection).await
}

/// The users with a role, and with the prefix if one is given.
pub(crate) async fn by_role(
    connection: &mut SqliteConnection,
    window: &Window,
    since: i64,
    role: &str,
    range: Option<&PrefixRange>,
) -> sqlx::Result<Vec<UserRow>> {
    let (from, to) = bounds(range);
    let query = query_file_as!(
        UserRow,
        "queries/list_users_by_role.sql",
        window.before_created_at,
        window.before_id,
        since,
        window.limit,
        window.offset,
        role,
        from,
        to
    );
    query.fetch_all(connection).await
}

/// The users with a status, and with the prefix if one is given.
pub(crate) async fn by_status(
    connection: &mut SqliteConnection,
    window: &Window,
    since: i64,
    status: &str,
    range: Option<&PrefixRange>,
) -> sqlx::Result<Vec<UserRow>> {
    let (from, to) = bounds(range);
    let query = query_file_as!(
        UserRow,
        "queries/list_users_by_status.sql",
        window.before_created_at,
        window.before_id,
        since,
        window.limit,
        window.offset,
        status,
        from,
        to
    );
    query.fetch_all(connection).await
}

fn bounds(range: Option<&PrefixRange>) -> (Option<&str>, Option<&str>) {
    range.map(|range| (range.from.as_str(), range.to.as_str())).unzip()
}

/// How many users pass the filter.
pub(crate) async fn count(connection: &mut SqliteConnection, filter: &UserFilter) -> sqlx::Result<i64> {
    let since = created_after(filter);
    let role = filter.role.as_ref().map(RoleName::as_str);
    let status = filter.status.map(Status::as_str);
    let range = PrefixRange::of(filter);
    let (from, to) = bounds(range.as_ref());

    if let Some(email) = filter.email.as_ref().map(EmailAddress::as_str) {
        let sql = query_file_scalar!("queries/count_users_by_email.sql", since, email, role, status, from, to);
        return sql.fetch_one(connection).await;
    }
    if range.is_some() {
        let sql = query_file_scalar!("queries/count_users_by_prefix.sql", since, from, to, role, status);
        return sql.fetch_one(connection).await;
    }
    match (role, status) {
        (Some(role), Some(status)) => {
            let sql = query_file_scalar!("queries/count_users_by_role_status.sql", since, role, status);
            sql.fetch_one(connection).await
        }
        (Some(role), None) => {
            query_file_scalar!("queries/count_users_by_role.sql", since, role).fetch_one(connection).await
        }
        (None, Some(status)) => {
            query_file_scalar!("queries/count_users_by_status.sql", since, status).fetch_one(connection).await
        }
        (None, None) => query_file_scalar!("queries/count_users.sql", since).fetch_one(connection).await,
    }
}
