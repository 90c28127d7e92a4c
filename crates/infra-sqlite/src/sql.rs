//! How the shared sources run statements on SQLite. Each statement is a file.
//!
//! sqlx checks each against the schema when this crate is compiled, by a query that is never run; rusqlite runs it.
//! Values are ids (`Uuid`), moments in microseconds (`i64`), numbers (`i64`, [`Count`](crate::codec::Count)), texts (`&str`,
//! `String`), bytes (`&[u8]`, `Vec<u8>`), truth values, and options of these. A row is declared by `row!`, with its fields named
//! as the columns.

use denizen_domain::store::StoreError;
use sqlx::Sqlite;
use sqlx::query::QueryScalar;
use sqlx::sqlite::SqliteArguments;

use crate::error::broken;

/// The statement in a file.
macro_rules! statement {
    ($file:literal) => {{
        static STATEMENT: $crate::statement::Statement =
            $crate::statement::Statement::new(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $file)));
        &STATEMENT
    }};
}

/// Values to bind, by reference.
macro_rules! values {
    ($($value:expr),*) => {
        &[$(&$value as &(dyn rusqlite::ToSql + Sync)),*] as &[&(dyn rusqlite::ToSql + Sync)]
    };
}

/// Runs a statement; how many rows it changed.
macro_rules! execute {
    ($tx:expr, $file:literal $(, $value:expr)* $(,)?) => {{
        if false {
            let _ = sqlx::query_file!($file $(, $value)*);
        }
        $crate::shared::spans::traced!($file, $tx.execute($crate::sql::statement!($file), $crate::sql::values![$($value),*]))
    }};
}

/// The same for a statement that changes many rows: other tasks of the thread do not wait for it.
macro_rules! execute_bulk {
    ($tx:expr, $file:literal $(, $value:expr)* $(,)?) => {{
        if false {
            let _ = sqlx::query_file!($file $(, $value)*);
        }
        $crate::shared::spans::traced!($file, $tx.execute_bulk($crate::sql::statement!($file), $crate::sql::values![$($value),*]))
    }};
}

/// The same as `execute!`; nothing when a unique constraint refuses it.
macro_rules! execute_unless_taken {
    ($tx:expr, $file:literal $(, $value:expr)* $(,)?) => {{
        if false {
            let _ = sqlx::query_file!($file $(, $value)*);
        }
        $crate::shared::spans::traced!($file, $tx.execute_unless_taken($crate::sql::statement!($file), $crate::sql::values![$($value),*]))
    }};
}

/// Runs a query by one of the methods of a unit of work.
macro_rules! fetch {
    ($how:ident, $tx:expr, $row:ty, $file:literal $(, $value:expr)*) => {{
        if false {
            let _ = sqlx::query_file_as!($row, $file $(, $value)*);
        }
        $crate::shared::spans::traced!($file, $tx.$how::<$row>($crate::sql::statement!($file), $crate::sql::values![$($value),*]))
    }};
}

/// The same for a query of one column.
macro_rules! fetch_scalars {
    ($how:ident, $tx:expr, $type:ty, $file:literal $(, $value:expr)*) => {{
        if false {
            let _: $crate::sql::CheckedScalar<'_, $type> = sqlx::query_file_scalar!($file $(, $value)*);
        }
        $crate::shared::spans::traced!($file, $tx.$how::<$crate::statement::Scalar<$type>>($crate::sql::statement!($file), $crate::sql::values![$($value),*]))
    }};
}

/// The one row that a statement returns.
macro_rules! fetch_one {
    ($tx:expr, $row:ty, $file:literal $(, $value:expr)* $(,)?) => {
        $crate::sql::fetch!(one, $tx, $row, $file $(, $value)*)
    };
}

/// The row that a statement returns, if any: a look-up by a key.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $file:literal $(, $value:expr)* $(,)?) => {
        $crate::sql::fetch!(find, $tx, $row, $file $(, $value)*)
    };
}

/// All rows that a statement returns.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $file:literal $(, $value:expr)* $(,)?) => {
        $crate::sql::fetch!(list, $tx, $row, $file $(, $value)*)
    };
}

/// The one value that a statement returns.
macro_rules! fetch_scalar {
    ($tx:expr, $type:ty, $file:literal $(, $value:expr)* $(,)?) => {
        $crate::sql::fetch_scalars!(one, $tx, $type, $file $(, $value)*).map(|found| found.0)
    };
}

/// The value that a statement returns, if any: a look-up by a key.
macro_rules! fetch_optional_scalar {
    ($tx:expr, $type:ty, $file:literal $(, $value:expr)* $(,)?) => {
        $crate::sql::fetch_scalars!(find, $tx, $type, $file $(, $value)*).map(|found| found.map(|found| found.0))
    };
}

/// The value of every row that a statement returns.
macro_rules! fetch_all_scalars {
    ($tx:expr, $type:ty, $file:literal $(, $value:expr)* $(,)?) => {
        $crate::sql::fetch_scalars!(list, $tx, $type, $file $(, $value)*)
            .map(|found| found.into_iter().map(|found| found.0).collect::<Vec<$type>>())
    };
}

/// Declares a row, or makes one that the domain declares readable: its fields are the columns.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $row:ident { $($field_vis:vis $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        $vis struct $row {
            $($field_vis $field: $type),+
        }

        $crate::sql::row!(impl $row { $($field),+ });
    };
    (impl $row:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::statement::FromRow for $row {
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn from_row(row: &rusqlite::Row<'_>, places: &[usize]) -> rusqlite::Result<Self> {
                let mut places = places.iter().copied();
                let mut next = || places.next().unwrap_or(usize::MAX);
                Ok(Self { $($field: row.get(next())?),+ })
            }
        }
    };
}

pub(crate) use {
    execute, execute_bulk, execute_unless_taken, fetch, fetch_all, fetch_all_scalars, fetch_one, fetch_optional,
    fetch_optional_scalar, fetch_scalar, fetch_scalars, row, statement, values,
};

/// A query that sqlx has checked to yield values of this type.
pub(crate) type CheckedScalar<'q, T> = QueryScalar<'q, Sqlite, T, SqliteArguments>;

/// A row that must be there is not.
pub(crate) fn row_not_found() -> StoreError {
    broken(rusqlite::Error::QueryReturnedNoRows)
}
