//! Writes rows in one transaction.

use async_trait::async_trait;
use denizen_domain::rows::{Put, Row, RowWriter, Table, WriteLock};
use denizen_domain::store::StoreError;
use sqlx::{Connection, Executor, PgConnection};

use super::{SETTINGS, Schema, copy_text, run};
use crate::PostgresOptions;
use crate::error::{broken, store_error};

/// The SQLSTATE of a violated unique constraint.
const UNIQUE_VIOLATION: &str = "23505";

/// Writes to a database in one transaction.
struct Writer {
    connection: PgConnection,
    schema: Schema,
}

/// Begins to write. The database must have been migrated.
///
/// # Errors
/// When the database is away.
pub async fn row_writer(options: &PostgresOptions) -> Result<Box<dyn RowWriter>, StoreError> {
    let mut connection = options.connect_once().await?;
    let schema = begin(&mut connection).await.map_err(|error| options.explain(error))?;
    Ok(Box::new(Writer { connection, schema }))
}

async fn begin(connection: &mut PgConnection) -> sqlx::Result<Schema> {
    connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
    connection.execute(SETTINGS).await?;
    Schema::read(connection).await
}

impl Writer {
    /// Copies rows of some columns of a table into a temporary one.
    async fn stage(&mut self, table: &Table, width: usize, rows: &[Row]) -> Result<String, StoreError> {
        let types = self.schema.types_of(table).map_err(store_error)?;
        let mut lines = Vec::with_capacity(rows.len() * 128);
        for row in rows {
            copy_text::write(&mut lines, row, &types[..width])
                .map_err(|reason| broken(format!("table {}: {reason}", table.name)))?;
        }
        let (name, columns) = (&table.name, table.columns[..width].join(", "));
        let staged = format!("staged_{name}");
        let create = format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {staged} ON COMMIT DROP AS SELECT * FROM {name} LIMIT 0; \
             TRUNCATE {staged}"
        );
        let copied = async {
            run(&mut self.connection, create).await?;
            let mut copy = self.connection.copy_in_raw(&format!("COPY {staged} ({columns}) FROM STDIN")).await?;
            copy.send(lines).await?;
            copy.finish().await.map(drop)
        };
        copied.await.map_err(store_error)?;
        Ok(staged)
    }
}

#[async_trait]
impl RowWriter for Writer {
    async fn put(&mut self, table: &Table, rows: Vec<Row>) -> Result<Put, StoreError> {
        let staged = self.stage(table, table.columns.len(), &rows).await?;
        let (name, columns, keys) = (&table.name, table.columns.join(", "), table.columns[..table.key_len].join(", "));
        let others = table.columns[table.key_len..].iter().map(|column| format!("{column} = excluded.{column}"));
        let others: Vec<_> = others.collect();
        let action = if others.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", others.join(", ")) };
        let upsert =
            format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM {staged} ON CONFLICT ({keys}) DO {action}");
        let connection = &mut self.connection;
        run(connection, "SAVEPOINT rows".to_owned()).await.map_err(store_error)?;
        let put = match run(connection, upsert).await {
            Ok(()) => Put::Written,
            Err(error) if is_conflict(&error) => {
                run(connection, "ROLLBACK TO SAVEPOINT rows".to_owned()).await.map_err(store_error)?;
                run(connection, delete(table, &staged)).await.map_err(store_error)?;
                Put::Conflict
            }
            Err(error) => return Err(store_error(error)),
        };
        run(connection, "RELEASE SAVEPOINT rows".to_owned()).await.map_err(store_error)?;
        Ok(put)
    }

    async fn delete(&mut self, table: &Table, keys: Vec<Row>) -> Result<(), StoreError> {
        let staged = self.stage(table, table.key_len, &keys).await?;
        run(&mut self.connection, delete(table, &staged)).await.map_err(store_error)
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        let names = self.schema.tables.iter().map(|table| table.name.as_str());
        // Events that have no position yet are not among the tables.
        let names: Vec<_> = names.chain(["pending_events"]).collect();
        run(&mut self.connection, format!("TRUNCATE {}", names.join(", "))).await.map_err(store_error)
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        run(&mut self.connection, "COMMIT".to_owned()).await.map_err(store_error)
    }
}

fn delete(table: &Table, staged: &str) -> String {
    let name = &table.name;
    let is_same = table.columns[..table.key_len].iter().map(|column| format!("{name}.{column} = {staged}.{column}"));
    format!("DELETE FROM {name} USING {staged} WHERE {}", is_same.collect::<Vec<_>>().join(" AND "))
}

fn is_conflict(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == UNIQUE_VIOLATION)
}

/// A lock on all tables.
struct Locked {
    connection: PgConnection,
}

#[async_trait]
impl WriteLock for Locked {
    async fn check(&mut self) -> Result<(), StoreError> {
        // Ended by the server or by what is in between, the transaction and its locks are gone.
        self.connection.ping().await.map_err(store_error)
    }
}

/// Keeps everybody else from writing to the database; reads go on. Waits for the writes that have begun.
///
/// # Errors
/// When the database is away.
pub async fn lock_writes(options: &PostgresOptions) -> Result<Box<dyn WriteLock>, StoreError> {
    let mut connection = options.connect_once().await?;
    let locked = async {
        let schema = begin(&mut connection).await?;
        let names = schema.tables.iter().map(|table| table.name.as_str());
        let names: Vec<_> = names.chain(["pending_events"]).collect();
        run(&mut connection, format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "))).await
    };
    locked.await.map_err(|error| options.explain(error))?;
    Ok(Box::new(Locked { connection }))
}
