//! Connections that are lent for a while, and never waited for without end.
//!
//! A server that is stopped keeps its connections and answers nothing: no statement timeout of its own ends that. So the
//! time of every statement is measured here as well, and a connection on which it ran out is closed.
//!
//! Behind a pooler in transaction mode, a statement outside of a transaction may run in any session, without our settings.
//! There every statement is part of a transaction, which makes the settings for itself: reads that stand alone share one,
//! any other statement that stands alone gets its own.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use denizen_domain::store::StoreError;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{AssertSqlSafe, Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::PostgresOptions;
use crate::authority::BEGIN;
use crate::error::{is_unavailable, store_error};
use crate::spares::{Borrowed, Spares};

/// How long the answer to a statement may take beyond the time that the server gives it, in seconds.
const ANSWER_MARGIN_S: u32 = 1;

/// The beginning of a transaction for reads that stand alone: each of them sees what was committed before it.
const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// The pool, and how long an answer may take.
#[derive(Debug, Clone)]
pub(crate) struct Lender {
    spares: Arc<Spares>,
    answer_within: Duration,
    session: Session,
}

/// What a connection can rely on.
#[derive(Debug, Clone)]
struct Session {
    /// What every transaction sets for itself; `None` if the connection has a session of the server for itself.
    local_settings: Option<Arc<str>>,
    /// Whether a prepared statement is found by its name later.
    has_named_statements: bool,
}

impl Session {
    /// A beginning, the settings and what follows, for one round trip.
    fn begin(&self, begin: &'static str, then: &[String]) -> SqlStr {
        if self.local_settings.is_none() && then.is_empty() {
            return begin.into_sql_str();
        }
        let settings = self.local_settings.as_deref();
        let parts: Vec<&str> = iter::once(begin).chain(settings).chain(then.iter().map(String::as_str)).collect();
        AssertSqlSafe(parts.join("; ")).into_sql_str()
    }

    fn query<Q>(&self, query: Q) -> Query<Q> {
        Query { query, may_be_named: self.has_named_statements }
    }
}

/// A statement that is prepared without a name if names are not found again.
struct Query<Q> {
    query: Q,
    may_be_named: bool,
}

impl<'q, Q: Execute<'q, Postgres>> Execute<'q, Postgres> for Query<Q> {
    fn sql(self) -> SqlStr {
        self.query.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.may_be_named && self.query.persistent()
    }
}

impl Lender {
    pub(crate) fn new(pool: PgPool, options: &PostgresOptions) -> Self {
        let answer_within = Duration::from_secs(options.statement_timeout_s.saturating_add(ANSWER_MARGIN_S).into());
        let acquire_within = Duration::from_secs(options.acquire_timeout_s.into());
        let session = Session {
            local_settings: options.local_settings().map(Arc::from),
            has_named_statements: options.prepared_statements,
        };
        Self { spares: Arc::new(Spares::new(pool, acquire_within, answer_within)), answer_within, session }
    }

    /// How long an answer may take.
    pub(crate) fn answer_within(&self) -> Duration {
        self.answer_within
    }

    /// A connection, for statements that stand alone.
    pub(crate) async fn lend(&self) -> Result<Lent, StoreError> {
        let borrowed = self.spares.borrow().await.map_err(store_error)?;
        let (spares, answer_within) = (Arc::clone(&self.spares), self.answer_within);
        Ok(Lent {
            borrowed: Some(borrowed),
            spares,
            answer_within,
            session: self.session.clone(),
            in_transaction: false,
            is_answered: true,
            is_lost: false,
        })
    }

    /// A connection, for reads that stand alone.
    pub(crate) async fn lend_to_read(&self) -> Result<Lent, StoreError> {
        match self.session.local_settings {
            None => self.lend().await,
            Some(_) => self.begin(BEGIN_TO_READ, &[]).await,
        }
    }

    /// A connection with a transaction open on it, and the statements executed that follow its beginning.
    pub(crate) async fn begin(&self, begin: &'static str, then: &[String]) -> Result<Lent, StoreError> {
        let mut lent = self.lend().await?;
        // Before it is: the caller may be cancelled before the answer is there.
        lent.in_transaction = true;
        lent.execute(self.session.begin(begin, then)).await.map_err(store_error)?;
        Ok(lent)
    }

    /// How many connections are lent, and how many there can be.
    pub(crate) fn lent(&self) -> (u32, u32) {
        self.spares.lent()
    }

    /// Waits until all connections are given back, and closes them.
    pub(crate) async fn close(&self) {
        self.spares.close().await;
    }
}

/// A connection. With its drop an open transaction is rolled back.
#[derive(Debug)]
pub(crate) struct Lent {
    /// There until the drop.
    borrowed: Option<Borrowed>,
    spares: Arc<Spares>,
    answer_within: Duration,
    session: Session,
    in_transaction: bool,
    /// Whether the last statement was answered to its end, and without an error.
    is_answered: bool,
    /// An answer did not come in time.
    is_lost: bool,
}

impl Lent {
    /// The connection itself, for statements whose time the caller limits. If the caller is cancelled, the connection is not
    /// used again before it was tried out.
    pub(crate) fn raw(&mut self) -> Result<&mut PgConnection, StoreError> {
        let borrowed = self.borrowed.as_mut().ok_or_else(|| store_error(sqlx::Error::PoolClosed))?;
        self.is_answered = false;
        Ok(&mut borrowed.connection)
    }

    /// Whether a transaction is open.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Whether the next statement needs a transaction of its own.
    fn needs_transaction(&self) -> bool {
        self.session.local_settings.is_some() && !self.in_transaction
    }

    /// Begins the transaction of one statement.
    async fn begin_for_one(&mut self) -> sqlx::Result<()> {
        let begin = self.session.begin(BEGIN, &[]);
        self.in_transaction = true;
        answered(self, |connection| connection.execute(begin)).await.map(drop)
    }

    /// Ends it, and returns the answer to the statement.
    async fn end_after<T>(&mut self, answer: sqlx::Result<T>) -> sqlx::Result<T> {
        if !self.is_lost {
            let end = if answer.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let ended = answered(self, |connection| connection.execute(end)).await;
            self.in_transaction = ended.is_err();
            if answer.is_ok() {
                ended?;
            }
        }
        answer
    }

    /// Commits the transaction, after one more statement if there is one: both in one round trip.
    pub(crate) async fn commit_after(mut self, last: Option<String>) -> Result<(), StoreError> {
        let statements = match last {
            Some(last) => AssertSqlSafe(format!("{last}; COMMIT")).into_sql_str(),
            None => "COMMIT".into_sql_str(),
        };
        let committed = self.execute(statements).await;
        // If the statement failed, the transaction is still open. If the commit failed, a rollback does nothing.
        self.in_transaction = committed.is_err();
        committed.map(drop).map_err(store_error)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut borrowed) = self.borrowed.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        if self.is_lost {
            borrowed.connection.close_on_drop();
            self.spares.distrust();
        } else if self.in_transaction {
            runtime.spawn(roll_back(borrowed, Arc::clone(&self.spares), self.answer_within));
        } else if self.is_answered {
            self.spares.put(&runtime, borrowed);
        } else {
            self.spares.give_back(&runtime, borrowed);
        }
    }
}

/// Rolls back what is left of a transaction; closes a connection that does not answer.
async fn roll_back(mut borrowed: Borrowed, spares: Arc<Spares>, within: Duration) {
    let rolled_back = timeout_at(deadline(within), borrowed.connection.execute("ROLLBACK")).await;
    if matches!(rolled_back, Ok(Ok(_))) {
        spares.put(&Handle::current(), borrowed);
    } else {
        borrowed.connection.close_on_drop();
        spares.distrust();
    }
}

/// Gives a connection back to the pool, which tries it out first; closes one that does not answer. Left to its own drop it
/// would be tried out without end, and no other one could take its place in the pool.
pub(crate) async fn give_back(mut connection: PoolConnection<Postgres>, within: Duration) {
    if timeout_at(deadline(within), connection.return_to_pool()).await.is_err() {
        tracing::warn!("closed a connection to the database that does not answer");
    }
}

/// The present, as the runtime counts it.
#[expect(clippy::disallowed_methods, reason = "a timeout is measured by the runtime's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// When an answer that is waited for from now on is late.
fn deadline(within: Duration) -> Instant {
    now() + within
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer in time"))
}

/// Waits for an answer, and notes whether one came.
async fn answered<'e, T>(
    lent: &'e mut Lent,
    ask: impl FnOnce(&'e mut PoolConnection<Postgres>) -> BoxFuture<'e, sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let Lent { borrowed, answer_within, is_answered, is_lost, spares, .. } = lent;
    let connection = &mut borrowed.as_mut().ok_or(sqlx::Error::PoolClosed)?.connection;
    *is_answered = false;
    let answer = timeout(*answer_within, ask(connection)).await.unwrap_or_else(|_| {
        *is_lost = true;
        Err(silent())
    });
    *is_answered = answer.is_ok();
    note(&answer, spares);
    answer
}

/// One connection that failed may be one of many.
fn note<T>(answer: &sqlx::Result<T>, spares: &Spares) {
    if let Err(error) = answer
        && is_unavailable(error)
    {
        spares.distrust();
    }
}

impl<'c> Executor<'c> for &'c mut Lent {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let query = self.session.query(query);
        if self.needs_transaction() {
            let all = async move {
                self.begin_for_one().await?;
                let steps = answered(self, |connection| connection.fetch_many(query).try_collect::<Vec<_>>().boxed());
                let steps = steps.await;
                let steps = self.end_after(steps).await?;
                Ok::<_, sqlx::Error>(stream::iter(steps.into_iter().map(Ok)))
            };
            return stream::once(all).try_flatten().boxed();
        }
        let Lent { borrowed, spares, answer_within, is_answered, is_lost, .. } = self;
        let Some(borrowed) = borrowed else { return stream::iter([Err(sqlx::Error::PoolClosed)]).boxed() };
        let (until, spares) = (deadline(*answer_within), &**spares);
        *is_answered = false;
        let steps = borrowed.connection.fetch_many(query);
        let step = move |state: Option<(BoxStream<'e, _>, &'e mut bool, &'e mut bool)>| async move {
            let (mut steps, is_answered, is_lost) = state?;
            match timeout_at(until, steps.next()).await {
                Ok(Some(Ok(step))) => Some((Ok(step), Some((steps, is_answered, is_lost)))),
                Ok(Some(Err(error))) => {
                    let failed = Err(error);
                    note(&failed, spares);
                    Some((failed, None))
                }
                Ok(None) => {
                    *is_answered = true;
                    None
                }
                Err(_) => {
                    *is_lost = true;
                    Some((Err(silent()), None))
                }
            }
        };
        stream::unfold(Some((steps, is_answered, is_lost)), step).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let query = self.session.query(query);
        if self.needs_transaction() {
            return Box::pin(async move {
                self.begin_for_one().await?;
                let found = answered(self, |connection| connection.fetch_optional(query)).await;
                self.end_after(found).await
            });
        }
        Box::pin(answered(self, move |connection| connection.fetch_optional(query)))
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        Box::pin(answered(self, move |connection| connection.prepare_with(sql, parameters)))
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        Box::pin(answered(self, move |connection| connection.describe(sql)))
    }
}
