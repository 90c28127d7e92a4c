//! Connections that are lent for a while, and never waited for without end.
//!
//! A server that is stopped keeps its connections and answers nothing: no statement timeout of its own ends that. So the
//! time of every statement is measured here as well, and a connection on which it ran out is closed.

use std::time::Duration;

use denizen_domain::store::StoreError;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, PgPool, Postgres, SqlStr};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::store_error;

/// How long the answer to a statement may take beyond the time that the server gives it, in seconds.
const ANSWER_MARGIN_S: u32 = 1;

/// The pool, and how long an answer may take.
#[derive(Debug, Clone)]
pub(crate) struct Lender {
    pool: PgPool,
    answer_within: Duration,
}

impl Lender {
    pub(crate) fn new(pool: PgPool, statement_timeout_s: u32) -> Self {
        let answer_within = Duration::from_secs(statement_timeout_s.saturating_add(ANSWER_MARGIN_S).into());
        Self { pool, answer_within }
    }

    /// How long an answer may take.
    pub(crate) fn answer_within(&self) -> Duration {
        self.answer_within
    }

    /// A connection, for statements that stand alone.
    pub(crate) async fn lend(&self) -> Result<Lent, StoreError> {
        let connection = self.pool.acquire().await.map_err(store_error)?;
        let answer_within = self.answer_within;
        Ok(Lent { connection: Some(connection), answer_within, in_transaction: false, is_lost: false })
    }

    /// A connection with a transaction open on it.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Lent, StoreError> {
        let mut lent = self.lend().await?;
        // Before it is: the caller may be cancelled before the answer is there.
        lent.in_transaction = true;
        lent.execute(statement).await.map_err(store_error)?;
        Ok(lent)
    }

    /// Waits until all connections are given back, and closes them.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection. With its drop an open transaction is rolled back.
#[derive(Debug)]
pub(crate) struct Lent {
    /// There until the drop.
    connection: Option<PoolConnection<Postgres>>,
    answer_within: Duration,
    in_transaction: bool,
    /// An answer did not come in time.
    is_lost: bool,
}

impl Lent {
    /// Commits the transaction.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let committed = self.execute("COMMIT").await;
        // Whatever it answered, the transaction is over.
        self.in_transaction = !matches!(committed, Ok(_) | Err(sqlx::Error::Database(_)));
        committed.map(drop).map_err(store_error)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.is_lost {
            connection.close_on_drop();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(give_back(connection, self.in_transaction, self.answer_within));
        }
    }
}

/// Gives a connection back to the pool, which tries it out first; closes one that does not answer. Left to its own drop it
/// would be tried out without end, and no other one could take its place in the pool.
async fn give_back(mut connection: PoolConnection<Postgres>, in_transaction: bool, within: Duration) {
    let until = deadline(within);
    if in_transaction && !matches!(timeout_at(until, connection.execute("ROLLBACK")).await, Ok(Ok(_))) {
        connection.close_on_drop();
        return;
    }
    if timeout_at(until, connection.return_to_pool()).await.is_err() {
        tracing::warn!("closed a connection to the database that does not answer");
    }
}

/// When an answer that is waited for from now on is late.
#[expect(clippy::disallowed_methods, reason = "a timeout is measured by the runtime's clock")]
fn deadline(within: Duration) -> Instant {
    Instant::now() + within
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer in time"))
}

/// Waits for an answer, and notes when none came.
async fn answered<T>(answer: BoxFuture<'_, sqlx::Result<T>>, within: Duration, is_lost: &mut bool) -> sqlx::Result<T> {
    timeout(within, answer).await.unwrap_or_else(|_| {
        *is_lost = true;
        Err(silent())
    })
}

impl<'c> Executor<'c> for &'c mut Lent {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Lent { connection, answer_within, is_lost, .. } = self;
        let Some(connection) = connection else { return stream::iter([Err(sqlx::Error::PoolClosed)]).boxed() };
        let until = deadline(*answer_within);
        let steps = connection.fetch_many(query);
        let step = move |state: Option<(BoxStream<'e, _>, &'e mut bool)>| async move {
            let (mut steps, is_lost) = state?;
            if let Ok(step) = timeout_at(until, steps.next()).await {
                step.map(|step| (step, Some((steps, is_lost))))
            } else {
                *is_lost = true;
                Some((Err(silent()), None))
            }
        };
        stream::unfold(Some((steps, is_lost)), step).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
            answered(connection.fetch_optional(query), self.answer_within, &mut self.is_lost).await
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
            answered(connection.prepare_with(sql, parameters), self.answer_within, &mut self.is_lost).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
            answered(connection.describe(sql), self.answer_within, &mut self.is_lost).await
        })
    }
}
