//! Reads all rows of a database, as of one moment.

use async_trait::async_trait;
use denizen_domain::events::chain::{ChainKey, hexadecimal};
use denizen_domain::rows::{Cell, Content, Row, RowReader, Table};
use denizen_domain::store::StoreError;
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row as _};
use uuid::Uuid;

use super::pending::Sequenced;
use super::{SETTINGS, Schema, Type, copy_text};
use crate::PostgresOptions;
use crate::error::{broken, store_error};

/// Reads a database as of the moment when it was opened. Writers go on.
struct Reader {
    connection: PgConnection,
    schema: Schema,
    pending: Option<Sequenced>,
}

/// Opens a reader. The database must have been migrated. With the key of the log, events that have no position yet are read
/// with the ones that they will have; without it, they are left out.
///
/// # Errors
/// When the database is away.
pub async fn row_reader(
    options: &PostgresOptions,
    chain_key: Option<&ChainKey>,
) -> Result<Box<dyn RowReader>, StoreError> {
    let mut connection = options.connect_once().await?;
    let begun = async {
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        connection.execute(SETTINGS).await?;
        Schema::read(&mut connection).await
    };
    let schema = begun.await.map_err(|error| options.explain(error))?;
    let events = schema.tables.iter().find(|table| table.content == Content::Log);
    let pending = match (events, chain_key) {
        (Some(events), Some(key)) => Sequenced::read(&mut connection, events, key).await?,
        _ => None,
    };
    Ok(Box::new(Reader { connection, schema, pending }))
}

impl Reader {
    /// The rows that a query returns, whose columns have these types.
    async fn copy(&mut self, query: &str, types: &[Type]) -> Result<Vec<Row>, StoreError> {
        let copied = async {
            let stream = self.connection.copy_out_raw(&format!("COPY ({query}) TO STDOUT")).await?;
            stream
                .try_fold(Vec::new(), async |mut lines, part| {
                    lines.extend_from_slice(&part);
                    Ok(lines)
                })
                .await
        };
        let lines = copied.await.map_err(store_error)?;
        copy_text::read(&lines, types).map_err(broken)
    }
}

#[async_trait]
impl RowReader for Reader {
    fn tables(&self) -> &[Table] {
        &self.schema.tables
    }

    fn schema_version(&self) -> i64 {
        self.schema.version
    }

    async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {}", table.name));
        let row = self.connection.fetch_one(sql).await.map_err(store_error)?;
        let pending = self.pending.as_ref().filter(|_| table.content == Content::Log);
        let pending = pending.map_or(0, |pending| pending.rows.len() as u64);
        Ok(row.try_get::<i64, _>(0).map_err(store_error)?.unsigned_abs() + pending)
    }

    async fn rows_after(&mut self, table: &Table, key: Option<&[Cell]>, limit: u32) -> Result<Vec<Row>, StoreError> {
        let types = self.schema.types_of(table).map_err(store_error)?;
        let keys = keys(table, &types, "");
        let behind = match key {
            Some(key) => format!("WHERE ({keys}) > ({})", literals(key, &types)?),
            None => String::new(),
        };
        let (columns, name) = (table.columns.join(", "), &table.name);
        let query = format!("SELECT {columns} FROM {name} {behind} ORDER BY {keys} LIMIT {limit}");
        let mut rows = self.copy(&query, &types).await?;
        let Some(pending) = &self.pending else { return Ok(rows) };
        if table.content == Content::Log && rows.len() < limit as usize {
            let last = rows.last().map(|row| table.key(row).to_vec()).or_else(|| key.map(<[Cell]>::to_vec));
            let is_behind = |row: &&Row| last.as_deref().is_none_or(|last| table.key(row) > last);
            let wanted = limit as usize - rows.len();
            rows.extend(pending.rows.iter().filter(is_behind).take(wanted).cloned());
        }
        if table.name == "event_log" {
            for row in &mut rows {
                pending.move_head(table, row);
            }
        }
        Ok(rows)
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Row>, StoreError> {
        let pending = self.pending.as_ref().filter(|_| table.content == Content::Log);
        if let Some(last) = pending.and_then(|pending| pending.rows.last()) {
            return Ok(Some(table.key(last).to_vec()));
        }
        let types = self.schema.types_of(table).map_err(store_error)?;
        let (columns, name) = (table.columns[..table.key_len].join(", "), &table.name);
        let query = format!("SELECT {columns} FROM {name} ORDER BY {} LIMIT 1", keys(table, &types, " DESC"));
        Ok(self.copy(&query, &types[..table.key_len]).await?.pop())
    }
}

/// The columns of the key, compared by their bytes.
fn keys(table: &Table, types: &[Type], direction: &str) -> String {
    let key = table.columns.iter().zip(types).take(table.key_len);
    let key = key.map(|(column, kind)| {
        let collation = if *kind == Type::Text { " COLLATE \"C\"" } else { "" };
        format!("{column}{collation}{direction}")
    });
    key.collect::<Vec<_>>().join(", ")
}

fn literals(key: &[Cell], types: &[Type]) -> Result<String, StoreError> {
    let literal = |(cell, kind): (&Cell, &Type)| match (cell, kind) {
        (Cell::Integer(number), Type::Integer) => Ok(number.to_string()),
        (Cell::Text(text), Type::Text) => Ok(format!("'{}'", text.replace('\'', "''"))),
        (Cell::Bytes(bytes), Type::Uuid) => {
            Ok(format!("'{}'::uuid", Uuid::from_slice(bytes).map_err(broken)?.simple()))
        }
        (Cell::Bytes(bytes), Type::Bytes) => Ok(format!("'\\x{}'::bytea", hexadecimal(bytes))),
        _ => Err(broken("a key has a value of another type")),
    };
    let literals: Result<Vec<_>, _> = key.iter().zip(types).map(literal).collect();
    Ok(literals?.join(", "))
}
