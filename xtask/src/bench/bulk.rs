//! A million users, put straight into the database: what the front door would take hours for.

use std::path::Path;

use anyhow::Context;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

/// Ids rise with time, as UUIDs of version 7 do: 48 bits of milliseconds, then a counter.
const INTO_SQLITE: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    INSERT INTO users (id, email, email_verified, name, name_key, role, status, created_at, updated_at, version, attributes)
    SELECT unhex(printf('%012x70008000%012x', 1600000000000 + i, i)), printf('user%07d@bench.example', i), 0,
           printf('User %07d', i), printf('user %07d', i), 'user', 'active',
           (1600000000000 + i) * 1000, (1600000000000 + i) * 1000, 1, '{}'
    FROM n";

const INTO_POSTGRES: &str = "
    INSERT INTO users (id, email, email_verified, name, name_key, role, status, created_at, updated_at, version, attributes)
    SELECT (lpad(to_hex(1600000000000 + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid,
           'user' || lpad(i::text, 7, '0') || '@bench.example', false,
           'User ' || lpad(i::text, 7, '0'), 'user ' || lpad(i::text, 7, '0'), 'user', 'active',
           (1600000000000 + i) * 1000, (1600000000000 + i) * 1000, 1, '{}'
    FROM generate_series(1::bigint, $1) AS i";

/// Sessions of the admin, of which there is one user so far. A live one ends in 2100, an expired one ended in 2020.
const SESSIONS_INTO_SQLITE: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    INSERT INTO sessions (id, user_id, generation, created_at, refreshed_at, idle_expires_at, expires_at, last_used_at)
    SELECT unhex(printf('%012x70008000%012x', 1500000000000 + i, i)), users.id, 0, 1500000000000000, $2, $2 + i, $2 + i, $2
    FROM n CROSS JOIN users";

const SESSIONS_INTO_POSTGRES: &str = "
    INSERT INTO sessions (id, user_id, generation, created_at, refreshed_at, idle_expires_at, expires_at, last_used_at)
    SELECT (lpad(to_hex(1500000000000 + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid, users.id, 0,
           $2, $2, $2 + i, $2 + i, $2
    FROM generate_series(1::bigint, $1) AS i CROSS JOIN users";

/// Adds sessions that expire from this moment on, in microseconds, to the one user of a migrated file.
pub(super) async fn fill_sessions_sqlite(file: &Path, sessions: i64, ending_us: i64) -> anyhow::Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.context("opening the database")?;
    let query = sqlx::query(SESSIONS_INTO_SQLITE).bind(sessions).bind(ending_us);
    query.execute(&mut connection).await.context("inserting")?;
    Ok(connection.close().await?)
}

/// The same in a migrated database.
pub(super) async fn fill_sessions_postgres(url: &str, sessions: i64, ending_us: i64) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("connecting")?;
    let query = sqlx::query(SESSIONS_INTO_POSTGRES).bind(sessions).bind(ending_us);
    query.execute(&mut connection).await.context("inserting")?;
    connection.execute("VACUUM (ANALYZE) sessions").await?;
    Ok(connection.close().await?)
}

/// The id of the n-th of the users.
pub(super) fn user_id(n: i64) -> String {
    id(1_600_000_000_000, n)
}

/// The id of the n-th of those sessions.
pub(super) fn session_id(n: i64) -> String {
    id(1_500_000_000_000, n)
}

fn id(first_ms: i64, n: i64) -> String {
    let millis = format!("{:012x}", first_ms + n);
    format!("{}-{}-7000-8000-{n:012x}", &millis[..8], &millis[8..])
}

/// How many of those sessions are left in a file that a server has open.
pub(super) async fn sessions_left_sqlite(file: &Path) -> anyhow::Result<i64> {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.context("opening the database")?;
    let left = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(left)
}

/// The same of a database.
pub(super) async fn sessions_left_postgres(url: &str) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(url).await.context("connecting")?;
    let left = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(left)
}

/// Fills a migrated file that no server has open.
pub(super) async fn fill_sqlite(file: &Path, users: i64) -> anyhow::Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.context("opening the database")?;
    sqlx::query(INTO_SQLITE).bind(users).execute(&mut connection).await.context("inserting")?;
    Ok(connection.close().await?)
}

/// Fills a migrated database.
pub(super) async fn fill_postgres(url: &str, users: i64) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("connecting")?;
    sqlx::query(INTO_POSTGRES).bind(users).execute(&mut connection).await.context("inserting")?;
    // What the autovacuum of a real one would have done by now.
    connection.execute("VACUUM (ANALYZE) users").await?;
    Ok(connection.close().await?)
}

/// A PostgreSQL database of its own. It must be [dropped](Self::remove): there is no `Drop` that can wait.
pub(super) struct Scratch {
    server_url: String,
    name: String,
    /// Its URL.
    pub(super) url: String,
}

impl Scratch {
    /// Makes one on the server that this URL leads to.
    pub(super) async fn new(server_url: &str) -> anyhow::Result<Self> {
        let (base, _) = server_url.rsplit_once('/').context("the URL names no database")?;
        let name = format!("denizen_bench_{}", std::process::id());
        let scratch = Self { server_url: server_url.to_owned(), url: format!("{base}/{name}"), name };
        scratch.execute(format!("CREATE DATABASE {} TEMPLATE template0", scratch.name)).await?;
        Ok(scratch)
    }

    /// Removes it.
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        self.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await
    }

    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.server_url).await.context("connecting to PostgreSQL")?;
        // The only part that varies is the number of this process.
        connection.execute(AssertSqlSafe(statement)).await?;
        Ok(connection.close().await?)
    }
}
