//! Connection poolers: whether one shares the sessions of the server between clients.
//!
//! A pooler such as PgBouncer cannot be asked through a connection to a database, but it can be observed: with sessions that
//! are not shared, two connections never have the same one, and none changes its own.

use std::time::Duration;

use denizen_domain::store::StoreError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Postgres, Row, Transaction, query_scalar, raw_sql};
use tokio::time::timeout;

use crate::connect::{TRANSACTION_MODE, explain, target};
use crate::error::broken;
use crate::{PoolerMode, PostgresOptions};

/// How often it is looked: other clients of a pooler can hide once that sessions are shared.
const ROUNDS: u32 = 3;

/// What was observed of a pooler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolerInspection {
    /// Whether the connections to `url` share sessions.
    pub shares_sessions: bool,
    /// Whether the connections to `listen_url` share sessions; `None` without that URL.
    pub listen_shares_sessions: Option<bool>,
    /// Whether a prepared statement is found from another session. Not examined (`true`) unless sessions are shared and
    /// statements are prepared by name.
    pub tracks_statements: bool,
}

/// Checks that connections that need a session for themselves have one.
///
/// # Errors
/// When the server does not answer, or a pooler shares sessions although the options say otherwise.
pub async fn check_sessions(options: &PostgresOptions) -> Result<(), StoreError> {
    let Some(direct) = options.connect_directly()? else { return Ok(()) };
    if !shares_sessions(options, &direct).await? {
        return Ok(());
    }
    let remedy = match options.listen_url {
        Some(_) => "Name the server itself in database.listen_url".to_owned(),
        None => format!("Set {TRANSACTION_MODE}; see docs/scaling.md"),
    };
    let target = target(&direct);
    Err(broken(format!("{target}: a connection pooler in transaction mode is in front of the server. {remedy}")))
}

/// Observes what is in front of the server.
pub(crate) async fn observe(options: &PostgresOptions) -> Result<PoolerInspection, StoreError> {
    let shares_sessions_of_url = shares_sessions(options, &options.connect()?).await?;
    let listen_shares_sessions = match (&options.listen_url, options.connect_directly()?) {
        (Some(_), Some(direct)) => Some(shares_sessions(options, &direct).await?),
        _ => None,
    };
    let is_examined =
        options.pooler_mode == PoolerMode::Transaction && shares_sessions_of_url && options.prepared_statements;
    let tracks_statements = !is_examined || tracks_statements(options).await?;
    Ok(PoolerInspection { shares_sessions: shares_sessions_of_url, listen_shares_sessions, tracks_statements })
}

impl PostgresOptions {
    /// Begins a transaction, for statements that are prepared by name: with a pooler in transaction mode they find each other
    /// within one. End it with
    /// [`release`](Self::release).
    pub(crate) async fn pin<'c>(&self, connection: &'c mut PgConnection) -> sqlx::Result<Transaction<'c, Postgres>> {
        // Unless a pooler tracks the names, they may be taken in the session that it assigns.
        let begin = if self.are_names_tracked() { "BEGIN" } else { "BEGIN; DEALLOCATE ALL" };
        connection.begin_with(begin).await
    }

    /// Commits a transaction that [`pin`](Self::pin) began.
    pub(crate) async fn release(&self, mut transaction: Transaction<'_, Postgres>) -> sqlx::Result<()> {
        if !self.are_names_tracked() {
            transaction.execute("DEALLOCATE ALL").await?;
        }
        transaction.commit().await
    }

    fn are_names_tracked(&self) -> bool {
        self.pooler_mode == PoolerMode::Transaction && self.prepared_statements
    }
}

async fn shares_sessions(options: &PostgresOptions, at: &PgConnectOptions) -> Result<bool, StoreError> {
    let within = Duration::from_secs(options.acquire_timeout_s.into());
    let mut one = options.connect_with(at).await?;
    let observed = async {
        let mut other = at.connect().await?;
        let observed = have_one_session(&mut one, &mut other).await;
        // An error while closing the connection is ignored.
        let _ = other.close().await;
        observed
    };
    // A pooler without a free session lets the second one wait: nothing was observed then.
    let observed = timeout(within, observed).await.unwrap_or(Ok(false)).map_err(|error| explain(error, at));
    let _ = timeout(within, one.close()).await;
    observed
}

async fn have_one_session(one: &mut PgConnection, other: &mut PgConnection) -> sqlx::Result<bool> {
    for _ in 0..ROUNDS {
        let first = session(one).await?;
        // It keeps its session until the end of the transaction.
        other.execute("BEGIN").await?;
        let second = session(other).await?;
        let is_shared = first == second || session(one).await? != first;
        other.execute("ROLLBACK").await?;
        if is_shared {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The process of the server that serves a connection, asked without a prepared statement.
async fn session(connection: &mut PgConnection) -> sqlx::Result<i32> {
    raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

/// Whether a prepared statement is found after the connection was assigned another session.
async fn tracks_statements(options: &PostgresOptions) -> Result<bool, StoreError> {
    let within = Duration::from_secs(options.acquire_timeout_s.into());
    let (mut one, mut other) = (options.connect_once().await?, options.connect_once().await?);
    let tried = async {
        let is_prepared = ping_by_name(&mut one).await?;
        // Occupies the session in which it was prepared, most likely.
        other.execute("BEGIN").await?;
        let is_found = is_prepared && ping_by_name(&mut one).await?;
        if !is_found {
            // Nobody else can find it, and its name must be free for others.
            other.execute("DEALLOCATE ALL").await?;
        }
        other.execute("ROLLBACK").await?;
        Ok(is_found)
    };
    let tried = timeout(within, tried).await.unwrap_or(Ok(true)).map_err(|error| options.explain(error));
    let _ = timeout(within, async { (one.close().await, other.close().await) }).await;
    tried
}

/// Executes a statement that is prepared once. `false` if its name was taken or not found.
async fn ping_by_name(connection: &mut PgConnection) -> sqlx::Result<bool> {
    match query_scalar::<_, i32>("SELECT 1").fetch_one(connection).await {
        Ok(_) => Ok(true),
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P05" | "26000" | "08P01")) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
