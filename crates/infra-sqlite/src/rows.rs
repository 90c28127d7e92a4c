//! Rows of all tables, for backups and moves.
//!
//! Not checked at compile time: the statements are made from the columns that the file has, which may be of another release.

use std::path::Path;

use async_trait::async_trait;
use denizen_domain::rows::{Cell, Put, Row, RowReader, RowWriter, TABLES, Table, WriteLock};
use denizen_domain::store::StoreError;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};
use tokio::task::spawn_blocking;

use crate::connection::{self, BUSY_TIMEOUT};
use crate::error::{broken, is_taken, store_error, unavailable};
use crate::{SqliteOptions, file};

/// What the connections of a backup or a move cache at most, in KiB.
const CACHE_KIB: i64 = 64 * 1024;

/// Tables that are derived from others, or belong to the migrations.
const DERIVED: [&str; 2] = ["_sqlx_migrations", "user_initials"];

/// A connection that is lent to blocking threads.
struct Lent(Option<Connection>);

impl Lent {
    async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = self.0.take().ok_or_else(|| broken("the connection was lost"))?;
        let running = spawn_blocking(move || {
            let done = work(&connection);
            (connection, done)
        });
        let (connection, done) = running.await.map_err(broken)?;
        self.0 = Some(connection);
        done
    }
}

/// Reads a file as of the moment when it was opened. Writers go on.
struct Reader {
    connection: Lent,
    tables: Vec<Table>,
    schema_version: i64,
}

/// Opens a reader. The file must have been migrated.
///
/// # Errors
/// When the file cannot be read.
pub async fn row_reader(options: &SqliteOptions) -> Result<Box<dyn RowReader>, StoreError> {
    let path = options.path.clone();
    let opened = spawn_blocking(move || {
        let connection = connection::reader(&path)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.execute_batch("BEGIN")?;
        // The moment of a deferred transaction is that of its first read.
        let schema_version = schema_version(&connection)?;
        let tables = tables(&connection)?;
        Ok(Reader { connection: Lent(Some(connection)), tables, schema_version })
    });
    Ok(Box::new(opened.await.map_err(broken)?.map_err(store_error)?))
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(version), 0) FROM _sqlx_migrations", [], |row| row.get(0))
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut statement = connection.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY pk, name")?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for (name, _) in TABLES {
        let columns = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let columns: Vec<(String, i64)> = columns.collect::<rusqlite::Result<_>>()?;
        let (key, others): (Vec<_>, Vec<_>) = columns.into_iter().partition(|(_, position)| *position > 0);
        let names = |columns: Vec<(String, i64)>| columns.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        // A table that a later migration adds is not there yet.
        if !key.is_empty() {
            tables.extend(Table::new(name, names(key), names(others)));
        }
    }
    Ok(tables)
}

#[async_trait]
impl RowReader for Reader {
    fn tables(&self) -> &[Table] {
        &self.tables
    }

    fn schema_version(&self) -> i64 {
        self.schema_version
    }

    async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count = move |connection: &Connection| {
            connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(store_error)
        };
        Ok(self.connection.run(count).await?.unsigned_abs())
    }

    async fn rows_after(&mut self, table: &Table, key: Option<&[Cell]>, limit: u32) -> Result<Vec<Row>, StoreError> {
        let (columns, keys) = (table.columns.join(", "), key_columns(table));
        let name = &table.name;
        let behind = match key {
            Some(_) => format!("WHERE ({keys}) > ({})", placeholders(table.key_len)),
            None => String::new(),
        };
        let sql = format!("SELECT {columns} FROM {name} {behind} ORDER BY {keys} LIMIT {limit}");
        let (key, width) = (key.unwrap_or_default().to_vec(), table.columns.len());
        self.connection.run(move |connection| read(connection, &sql, &key, width).map_err(store_error)).await
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Row>, StoreError> {
        let keys = key_columns(table);
        let descending = table.columns[..table.key_len].join(" DESC, ");
        let sql = format!("SELECT {keys} FROM {} ORDER BY {descending} DESC LIMIT 1", table.name);
        let width = table.key_len;
        let read = move |connection: &Connection| read(connection, &sql, &[], width).map_err(store_error);
        Ok(self.connection.run(read).await?.pop())
    }
}

fn read(connection: &Connection, sql: &str, key: &[Cell], width: usize) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(key.iter().map(Parameter)), |row| {
        (0..width).map(|column| row.get(column).map(cell)).collect()
    })?;
    rows.collect()
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Integer(number) => Cell::Integer(number),
        // No column has this type.
        Value::Real(number) => Cell::Text(number.to_string()),
        Value::Text(text) => Cell::Text(text),
        Value::Blob(bytes) => Cell::Bytes(bytes),
    }
}

/// A cell as a parameter.
struct Parameter<'a>(&'a Cell);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(*number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn key_columns(table: &Table) -> String {
    table.columns[..table.key_len].join(", ")
}

fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// Writes to a file in one transaction.
struct Writer {
    connection: Lent,
    tables: Vec<Table>,
}

/// Begins to write. The file must have been migrated. Waits for other writers for five seconds.
///
/// # Errors
/// When the file cannot be written.
pub async fn row_writer(options: &SqliteOptions) -> Result<Box<dyn RowWriter>, StoreError> {
    open_writer(options, begin_immediate).await
}

/// The same for a file that nobody else uses, and that is deleted if writing it fails. It has no write-ahead log: that of
/// a large transaction is searched for every page that is read.
///
/// # Errors
/// When the file cannot be written, or is in use.
pub async fn draft_writer(options: &SqliteOptions) -> Result<Box<dyn RowWriter>, StoreError> {
    open_writer(options, |path| {
        let connection = connection::writer(path)?;
        connection.pragma_update(None, "journal_mode", "memory")?;
        begin(connection)
    })
    .await
}

async fn open_writer(
    options: &SqliteOptions,
    open: impl FnOnce(&Path) -> rusqlite::Result<Connection> + Send + 'static,
) -> Result<Box<dyn RowWriter>, StoreError> {
    let path = options.path.clone();
    let opened = spawn_blocking(move || {
        let connection = open(&path)?;
        let tables = tables(&connection)?;
        Ok(Writer { connection: Lent(Some(connection)), tables })
    });
    Ok(Box::new(opened.await.map_err(broken)?.map_err(store_error)?))
}

fn begin_immediate(path: &Path) -> rusqlite::Result<Connection> {
    begin(connection::writer(path)?)
}

fn begin(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

#[async_trait]
impl RowWriter for Writer {
    async fn put(&mut self, table: &Table, rows: Vec<Row>) -> Result<Put, StoreError> {
        let (upsert, delete) = (upsert(table), delete(table));
        let key_len = table.key_len;
        self.connection
            .run(move |connection| put(connection, &upsert, &delete, key_len, &rows).map_err(store_error))
            .await
    }

    async fn delete(&mut self, table: &Table, keys: Vec<Row>) -> Result<(), StoreError> {
        let sql = delete(table);
        let delete = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(&sql).map_err(store_error)?;
            for key in &keys {
                statement.execute(params_from_iter(key.iter().map(Parameter))).map_err(store_error)?;
            }
            Ok(())
        };
        self.connection.run(delete).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        let statements = self.tables.iter().rev().map(|table| format!("DELETE FROM {};", table.name));
        let sql = statements.collect::<String>();
        self.connection.run(move |connection| connection.execute_batch(&sql).map_err(store_error)).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.connection.run(|connection| connection.execute_batch("COMMIT").map_err(store_error)).await
    }
}

fn upsert(table: &Table) -> String {
    let (name, columns, keys) = (&table.name, table.columns.join(", "), key_columns(table));
    let values = placeholders(table.columns.len());
    let others = table.columns[table.key_len..].iter().map(|column| format!("{column} = excluded.{column}"));
    let others: Vec<_> = others.collect();
    let action = if others.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", others.join(", ")) };
    format!("INSERT INTO {name} ({columns}) VALUES ({values}) ON CONFLICT ({keys}) DO {action}")
}

fn delete(table: &Table) -> String {
    format!("DELETE FROM {} WHERE ({}) = ({})", table.name, key_columns(table), placeholders(table.key_len))
}

fn put(connection: &Connection, upsert: &str, delete: &str, key_len: usize, rows: &[Row]) -> rusqlite::Result<Put> {
    connection.execute_batch("SAVEPOINT rows")?;
    let written = (|| {
        let mut statement = connection.prepare_cached(upsert)?;
        rows.iter().try_for_each(|row| statement.execute(params_from_iter(row.iter().map(Parameter))).map(drop))
    })();
    let put = match written {
        Ok(()) => Put::Written,
        Err(error) if is_taken(&error) => {
            connection.execute_batch("ROLLBACK TO rows")?;
            let mut statement = connection.prepare_cached(delete)?;
            for row in rows {
                let key = row.iter().take(key_len);
                statement.execute(params_from_iter(key.map(Parameter)))?;
            }
            Put::Conflict
        }
        Err(error) => return Err(error),
    };
    connection.execute_batch("RELEASE rows")?;
    Ok(put)
}

/// The right to write, which nobody else has meanwhile.
struct Locked {
    _connection: Connection,
}

#[async_trait]
impl WriteLock for Locked {
    async fn check(&mut self) -> Result<(), StoreError> {
        // The lock is the operating system's: it ends with this process.
        Ok(())
    }
}

/// Keeps everybody else from writing to the file. Waits for a write that has begun for five seconds.
///
/// # Errors
/// When the file cannot be locked.
pub async fn lock_writes(options: &SqliteOptions) -> Result<Box<dyn WriteLock>, StoreError> {
    let path = options.path.clone();
    let locking = spawn_blocking(move || begin_immediate(&path));
    let connection = locking.await.map_err(broken)?.map_err(store_error)?;
    Ok(Box::new(Locked { _connection: connection }))
}

/// Checks the pages and the indexes of a file, and folds its write-ahead log into it.
///
/// # Errors
/// When the file is damaged, or cannot be read.
pub async fn check_and_fold(path: &Path) -> Result<(), StoreError> {
    let path = path.to_owned();
    let checked = spawn_blocking(move || {
        let connection = connection::writer(&path).map_err(store_error)?;
        let first: Option<String> =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).optional().map_err(store_error)?;
        if first.as_deref() != Some("ok") {
            return Err(broken(first.unwrap_or_else(|| "PRAGMA quick_check returned nothing".to_owned())));
        }
        let is_busy: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(store_error)?;
        // The last connection to close removes the files of the write-ahead log.
        connection.close().map_err(|(_, error)| store_error(error))?;
        let [log, _] = companions(&path);
        let is_left = std::fs::metadata(log).is_ok_and(|found| found.len() > 0);
        if is_busy || is_left { Err(unavailable("another process has the database file open")) } else { Ok(()) }
    });
    checked.await.map_err(broken)?
}

/// The tables of a file that are not Denizen's: those of an application that embeds it.
///
/// # Errors
/// When the file cannot be read.
pub async fn foreign_tables(options: &SqliteOptions) -> Result<Vec<String>, StoreError> {
    let path = options.path.clone();
    let listed = spawn_blocking(move || {
        let connection = connection::reader(&path)?;
        let mut statement = connection.prepare(
            "SELECT name FROM sqlite_schema
            WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        Ok(names.into_iter().filter(|name| !is_own(name)).collect())
    });
    listed.await.map_err(broken)?.map_err(store_error)
}

fn is_own(name: &str) -> bool {
    DERIVED.contains(&name) || TABLES.iter().any(|(own, _)| *own == name)
}

/// The files that SQLite keeps beside a database file.
#[must_use]
pub fn companions(path: &Path) -> [std::path::PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| file::beside(path, suffix))
}
