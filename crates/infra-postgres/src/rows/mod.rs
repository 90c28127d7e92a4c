//! Rows of all tables, for backups and moves, by `COPY`.
//!
//! Not checked at compile time: the statements are made from the columns that the database has, which may be of another
//! release.

mod copy_text;
mod pending;
mod reader;
mod writer;

use std::collections::HashMap;

use denizen_domain::rows::{TABLES, Table};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row as _};

pub use reader::row_reader;
pub use writer::{lock_writes, row_writer};

/// What a transaction sets for itself, whatever the defaults of the role and the database are.
const SETTINGS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
                        SET LOCAL lock_timeout = 0; SET LOCAL bytea_output = 'hex'; \
                        SET LOCAL standard_conforming_strings = on";

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Integer,
    Boolean,
    Text,
    Bytes,
    Uuid,
}

impl Type {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "smallint" | "integer" | "bigint" => Self::Integer,
            "boolean" => Self::Boolean,
            "text" => Self::Text,
            "bytea" => Self::Bytes,
            "uuid" => Self::Uuid,
            _ => return None,
        })
    }
}

/// A table and the types of its columns.
struct Typed {
    table: Table,
    types: Vec<Type>,
}

/// The schema of a database.
struct Schema {
    tables: Vec<Table>,
    types: HashMap<String, Vec<Type>>,
    version: i64,
}

impl Schema {
    async fn read(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let version =
            connection.fetch_one("SELECT coalesce(max(version), 0) FROM _sqlx_migrations").await?.try_get(0)?;
        let rows = connection
            .fetch_all(
                "SELECT columns.table_name::text, columns.column_name::text, columns.data_type::text,
                    coalesce(array_position(keys.conkey, attributes.attnum), 0)::bigint
                FROM information_schema.columns AS columns
                JOIN pg_attribute AS attributes
                    ON attributes.attrelid = format('%I.%I', columns.table_schema, columns.table_name)::regclass
                    AND attributes.attname = columns.column_name
                LEFT JOIN pg_constraint AS keys ON keys.conrelid = attributes.attrelid AND keys.contype = 'p'
                WHERE columns.table_schema = current_schema()
                ORDER BY 1, 4, 2",
            )
            .await?;
        let mut columns: HashMap<String, Vec<(String, String, i64)>> = HashMap::new();
        for row in rows {
            let column = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            columns.entry(row.try_get(0)?).or_default().push(column);
        }
        let present = TABLES.iter().filter_map(|(name, _)| Some((*name, columns.remove(*name)?)));
        let found = present.map(|(name, columns)| typed(name, columns).ok_or_else(|| unreadable(name)));
        let found: Vec<_> = found.collect::<sqlx::Result<_>>()?;
        let types = found.iter().map(|typed| (typed.table.name.clone(), typed.types.clone())).collect();
        Ok(Self { tables: found.into_iter().map(|typed| typed.table).collect(), types, version })
    }

    /// The types of the columns of a table, in its order of columns, which may be that of another database.
    fn types_of(&self, table: &Table) -> sqlx::Result<Vec<Type>> {
        let unknown = || sqlx::Error::ColumnNotFound(table.name.clone());
        let own = self.tables.iter().find(|own| own.name == table.name).ok_or_else(unknown)?;
        let types = self.types.get(&table.name).ok_or_else(unknown)?;
        let of = |column: &String| own.column(column).and_then(|at| types.get(at)).copied();
        let found: Option<Vec<_>> = table.columns.iter().map(of).collect();
        found.ok_or_else(unknown)
    }
}

fn typed(name: &str, columns: Vec<(String, String, i64)>) -> Option<Typed> {
    let types: HashMap<_, _> = columns.iter().map(|(name, kind, _)| (name.clone(), Type::parse(kind))).collect();
    let (key, others): (Vec<_>, Vec<_>) = columns.into_iter().partition(|(_, _, position)| *position > 0);
    let names = |columns: Vec<(String, String, i64)>| columns.into_iter().map(|(name, _, _)| name).collect();
    let table = Table::new(name, names(key), names(others))?;
    let types: Option<Vec<_>> = table.columns.iter().map(|column| types.get(column).copied().flatten()).collect();
    Some(Typed { types: types?, table })
}

fn unreadable(table: &str) -> sqlx::Error {
    sqlx::Error::Protocol(format!("table {table} has no primary key, or a column of an unknown type"))
}

/// Runs a statement that is made of the names of tables and columns.
async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    connection.execute(AssertSqlSafe(statement)).await.map(drop)
}
