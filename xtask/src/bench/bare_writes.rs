//! The least that a server can do to change a user: one hand-written Axum route that checks the token, changes the row, and
//! records an event in the same transaction.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use anyhow::Context;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::patch;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Executor, FromRow, PgPool, SqlitePool};
use tokio::net::TcpListener;

const TABLES: &str = "
    CREATE TABLE bare_users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL,
        status TEXT NOT NULL, version BIGINT NOT NULL, updated_at BIGINT NOT NULL);
    CREATE INDEX bare_users_by_role ON bare_users (role, id);
    CREATE INDEX bare_users_by_status ON bare_users (status, id);
    CREATE TABLE bare_events (position {position}, type TEXT NOT NULL, subject TEXT NOT NULL, actor TEXT NOT NULL,
        occurred_at BIGINT NOT NULL, data TEXT NOT NULL);";

const UPDATE: &str = "UPDATE bare_users SET name = $2, version = version + 1, updated_at = updated_at + 1 WHERE id = $1
    RETURNING id, email, name, role, status, version, updated_at";

const RECORD: &str = "INSERT INTO bare_events (type, subject, actor, occurred_at, data)
    VALUES ('user.updated', $1, $2, $3, $4)";

/// Whom to serve, and from where.
#[derive(Serialize, Deserialize)]
pub(super) struct Task {
    /// The database, which has no tables of this program.
    pub(super) url: String,
    /// The public key of the tokens: an uncompressed point of P-256.
    pub(super) public_key: Vec<u8>,
    /// The users who are changed.
    pub(super) users: Vec<String>,
}

#[derive(Clone)]
enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

#[derive(Clone)]
struct Bare {
    database: Database,
    public_key: Vec<u8>,
}

#[derive(Deserialize)]
struct Change {
    name: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

#[derive(Serialize, FromRow)]
struct User {
    id: String,
    email: String,
    name: String,
    role: String,
    status: String,
    version: i64,
    updated_at: i64,
}

/// Reads a [`Task`] from stdin, prints the port it took, and serves until it is ended.
pub(crate) fn serve() -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let task: Task = serde_json::from_str(&text).context("reading the task")?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(accept(task))
}

async fn accept(task: Task) -> anyhow::Result<()> {
    let database = open(&task).await?;
    let bare = Bare { database, public_key: task.public_key };
    let app = Router::new().route("/api/v1/users/{id}", patch(change)).with_state(bare);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    Ok(axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), app).await?)
}

async fn open(task: &Task) -> anyhow::Result<Database> {
    let insert = "INSERT INTO bare_users VALUES ($1, $1, 'Bare', 'user', 'active', 1, 0)";
    if let Some(file) = task.url.strip_prefix("sqlite://") {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        pool.execute(AssertSqlSafe(TABLES.replace("{position}", "INTEGER PRIMARY KEY"))).await?;
        for user in &task.users {
            sqlx::query(insert).bind(user).execute(&pool).await?;
        }
        return Ok(Database::Sqlite(pool));
    }
    let pool = PgPoolOptions::new().max_connections(10).connect(&task.url).await?;
    let tables = TABLES.replace("{position}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
    pool.execute(AssertSqlSafe(tables)).await?;
    for user in &task.users {
        sqlx::query(insert).bind(user).execute(&pool).await?;
    }
    Ok(Database::Postgres(pool))
}

async fn change(State(bare): State<Bare>, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(claims) = claims(&headers, &bare.public_key) else { return StatusCode::UNAUTHORIZED.into_response() };
    let Ok(change) = serde_json::from_slice::<Change>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    match bare.database.change(&id, &change.name, &claims.sub).await {
        Ok(user) => Json(user).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The claims of the token, if its signature and its time are good.
fn claims(headers: &HeaderMap, public_key: &[u8]) -> Option<Claims> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key).verify(signed.as_bytes(), &signature).ok()?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    (claims.exp > unix_s()).then_some(claims)
}

#[expect(clippy::disallowed_methods, reason = "the peer has no clock but the real one")]
fn unix_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Database {
    async fn change(&self, id: &str, name: &str, actor: &str) -> sqlx::Result<User> {
        let now = i64::try_from(unix_s()).unwrap_or(i64::MAX);
        let data = serde_json::json!({ "name": name }).to_string();
        match self {
            Self::Sqlite(pool) => {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                let user = sqlx::query_as(UPDATE).bind(id).bind(name).fetch_one(&mut *tx).await?;
                sqlx::query(RECORD).bind(id).bind(actor).bind(now).bind(data).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(user)
            }
            Self::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                let user = sqlx::query_as(UPDATE).bind(id).bind(name).fetch_one(&mut *tx).await?;
                sqlx::query(RECORD).bind(id).bind(actor).bind(now).bind(data).execute(&mut *tx).await?;
                tx.commit().await?;
                Ok(user)
            }
        }
    }
}
