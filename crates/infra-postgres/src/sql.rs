//! How the shared sources run statements on PostgreSQL. Each statement is a file, and sqlx checks it against the schema.
//!
//! Values are ids (`Uuid`), moments in microseconds (`i64`), numbers (`i64`, [`Count`](crate::codec::Count)), texts (`&str`,
//! `String`), bytes (`&[u8]`, `Vec<u8>`), truth values, and options of these. A row is declared by `row!`.

use denizen_domain::store::StoreError;

use crate::error::store_error;

/// Runs a checked query on the connection of a unit of work.
macro_rules! run {
    ($tx:expr, $file:literal, $query:expr, $how:ident) => {{
        let query = $query;
        match $tx.connection().await {
            Ok(connection) => {
                $crate::shared::spans::traced!($file, query.$how(connection)).map_err($crate::error::store_error)
            }
            Err(error) => Err(error),
        }
    }};
}

/// Runs a statement; how many rows it changed.
macro_rules! execute {
    ($tx:expr, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, $file, sqlx::query_file!($file $(, $($values)*)?), execute).map(|done| done.rows_affected())
    };
}

/// The same for a statement that changes many rows.
macro_rules! execute_bulk {
    ($($statement:tt)*) => {
        $crate::sql::execute!($($statement)*)
    };
}

/// The same as `execute!`; nothing when a unique constraint refuses it.
macro_rules! execute_unless_taken {
    ($tx:expr, $file:literal $(, $($values:tt)*)?) => {{
        let query = sqlx::query_file!($file $(, $($values)*)?);
        match $tx.connection().await {
            Ok(connection) => {
                let executed = $crate::shared::spans::traced!($file, query.execute(connection));
                $crate::sql::unless_taken(executed.map(|done| done.rows_affected()))
            }
            Err(error) => Err(error),
        }
    }};
}

/// The one row that a statement returns.
macro_rules! fetch_one {
    ($tx:expr, $row:path, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, $file, sqlx::query_file_as!($row, $file $(, $($values)*)?), fetch_one)
    };
}

/// The row that a statement returns, if any.
macro_rules! fetch_optional {
    ($tx:expr, $row:path, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, $file, sqlx::query_file_as!($row, $file $(, $($values)*)?), fetch_optional)
    };
}

/// All rows that a statement returns.
macro_rules! fetch_all {
    ($tx:expr, $row:path, $file:literal $(, $($values:tt)*)?) => {
        $crate::sql::run!($tx, $file, sqlx::query_file_as!($row, $file $(, $($values)*)?), fetch_all)
    };
}

/// The one value that a statement returns.
macro_rules! fetch_scalar {
    ($tx:expr, $type:ty, $file:literal $(, $($values:tt)*)?) => {{
        let found: Result<$type, denizen_domain::store::StoreError> =
            $crate::sql::run!($tx, $file, sqlx::query_file_scalar!($file $(, $($values)*)?), fetch_one);
        found
    }};
}

/// The value that a statement returns, if any.
macro_rules! fetch_optional_scalar {
    ($tx:expr, $type:ty, $file:literal $(, $($values:tt)*)?) => {{
        let found: Result<Option<$type>, denizen_domain::store::StoreError> =
            $crate::sql::run!($tx, $file, sqlx::query_file_scalar!($file $(, $($values)*)?), fetch_optional);
        found
    }};
}

/// The value of every row that a statement returns.
macro_rules! fetch_all_scalars {
    ($tx:expr, $type:ty, $file:literal $(, $($values:tt)*)?) => {{
        let found: Result<Vec<$type>, denizen_domain::store::StoreError> =
            $crate::sql::run!($tx, $file, sqlx::query_file_scalar!($file $(, $($values)*)?), fetch_all);
        found
    }};
}

/// Declares a row: its fields are the columns.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $row:ident { $($field_vis:vis $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        $vis struct $row {
            $($field_vis $field: $type),+
        }
    };
}

pub(crate) use {
    execute, execute_bulk, execute_unless_taken, fetch_all, fetch_all_scalars, fetch_one, fetch_optional,
    fetch_optional_scalar, fetch_scalar, row, run,
};

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
