//! How the shared sources run statements on SQLite. Each statement is a file, and sqlx checks it against the schema.
//!
//! Values are ids (`Uuid`), moments in microseconds (`i64`), numbers (`i64`, [`Count`](crate::codec::Count)), texts (`&str`,
//! `String`), bytes (`&[u8]`, `Vec<u8>`), truth values, and options of these. A row is declared by `row!`, with its fields in the order
//! of the columns.

use denizen_domain::store::StoreError;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use uuid::Uuid;

use crate::error::store_error;

/// Runs a checked query on the connection of a unit of work.
macro_rules! run {
    ($tx:expr, $query:expr, $how:ident) => {{
        let query = $query;
        match $tx.connection().await {
            Ok(connection) => query.$how(connection).await.map_err($crate::error::store_error),
            Err(error) => Err(error),
        }
    }};
}

/// Runs a statement; how many rows it changed.
macro_rules! execute {
    ($tx:expr, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, sqlx::query_file!($file $(, $($values)*)?), execute).map(|done| done.rows_affected())
    };
}

/// The same; nothing when a unique constraint refuses it.
macro_rules! execute_unless_taken {
    ($tx:expr, $file:literal $(, $($values:tt)*)?) => {{
        let query = sqlx::query_file!($file $(, $($values)*)?);
        match $tx.connection().await {
            Ok(connection) => $crate::sql::unless_taken(query.execute(connection).await.map(|done| done.rows_affected())),
            Err(error) => Err(error),
        }
    }};
}

/// The one row that a statement returns.
macro_rules! fetch_one {
    ($tx:expr, $row:path, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, sqlx::query_file_as!($row, $file $(, $($values)*)?), fetch_one)
    };
}

/// The row that a statement returns, if any.
macro_rules! fetch_optional {
    ($tx:expr, $row:path, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, sqlx::query_file_as!($row, $file $(, $($values)*)?), fetch_optional)
    };
}

/// All rows that a statement returns.
macro_rules! fetch_all {
    ($tx:expr, $row:path, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, sqlx::query_file_as!($row, $file $(, $($values)*)?), fetch_all)
    };
}

/// The one value that a statement returns.
macro_rules! fetch_scalar {
    ($tx:expr, $type:ty, $file:literal $(, $($values:tt)*)?) => {{
        let found: Result<$type, denizen_domain::store::StoreError> =
            $crate::sql::run!($tx, sqlx::query_file_scalar!($file $(, $($values)*)?), fetch_one);
        found
    }};
}

/// The value that a statement returns, if any.
macro_rules! fetch_optional_scalar {
    ($tx:expr, $type:ty, $file:literal $(, $($values:tt)*)?) => {{
        let found: Result<Option<$type>, denizen_domain::store::StoreError> =
            $crate::sql::run!($tx, sqlx::query_file_scalar!($file $(, $($values)*)?), fetch_optional);
        found
    }};
}

/// The value of every row that a statement returns.
macro_rules! fetch_all_scalars {
    ($tx:expr, $type:ty, $file:literal $(, $($values:tt)*)?) => {{
        let found: Result<Vec<$type>, denizen_domain::store::StoreError> =
            $crate::sql::run!($tx, sqlx::query_file_scalar!($file $(, $($values)*)?), fetch_all);
        found
    }};
}

/// The row with a key, if any: in place where that is possible.
macro_rules! find_by_key {
    ($tx:expr, $row:path, $file:literal, $key:expr) => {{
        let key = $key;
        let sql = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $file));
        let found = {
            use $crate::in_place::InPlaceRow as _;
            use $crate::sql::Key as _;
            $tx.find_in_place(sql, &key.to_bind(), <$row>::read_in_place)
        };
        match found {
            Ok(found) => Ok(found),
            Err($crate::in_place::NotInPlace) => $crate::sql::fetch_optional!($tx, $row, $file, key),
        }
    }};
}

/// Declares a row: its fields are the columns, in their order.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $row:ident { $($field_vis:vis $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        $vis struct $row {
            $($field_vis $field: $type),+
        }

        impl $crate::in_place::InPlaceRow for $row {
            fn read_in_place(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                let mut columns = 0..;
                let mut next = || columns.next().unwrap_or(usize::MAX);
                Ok(Self { $($field: row.get(next())?),+ })
            }
        }
    };
}

pub(crate) use {
    execute, execute_unless_taken, fetch_all, fetch_all_scalars, fetch_one, fetch_optional, fetch_optional_scalar,
    fetch_scalar, find_by_key, row, run,
};

/// What a row is found by in place.
pub(crate) trait Key {
    /// The value to bind, which is borrowed.
    fn to_bind(&self) -> impl ToSql;
}

impl Key for Uuid {
    fn to_bind(&self) -> impl ToSql {
        ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes()))
    }
}

impl Key for &str {
    fn to_bind(&self) -> impl ToSql {
        ToSqlOutput::Borrowed(ValueRef::Text(self.as_bytes()))
    }
}

/// What a change did; nothing when a unique constraint refused it.
pub(crate) fn unless_taken(changed: sqlx::Result<u64>) -> Result<Option<u64>, StoreError> {
    match changed {
        Ok(rows) => Ok(Some(rows)),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
        Err(error) => Err(store_error(error)),
    }
}

/// A row that must be there is not.
pub(crate) fn row_not_found() -> StoreError {
    store_error(sqlx::Error::RowNotFound)
}
