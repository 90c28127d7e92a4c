//! Rows of the application in the transaction of a use case: both are committed, or neither.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::error::{Error, Result};
use denizen_domain::idempotency::DeferredCommit;
use denizen_domain::store::WriteTx;
pub use denizen_infra::stores::{PgConnection, rusqlite};
use denizen_infra::stores::{begin_foreign, connection_of, end_foreign, with_connection};
use tokio::time::timeout;

use super::accounts::Accounts;

/// How long the statements of the application may take together. On SQLite, other writes wait for them.
const WORK_TIME_LIMIT: Duration = Duration::from_secs(5);

/// The transaction of a use case, before its commit.
pub struct SharedTransaction(Box<dyn WriteTx>);

impl SharedTransaction {
    /// The connection, for statements with `SQLx`. It has the role and the search path of `database.url`. Do not end the
    /// transaction, and change settings with `SET LOCAL` only.
    ///
    /// # Errors
    /// If the database is SQLite, or the connection is lost.
    pub async fn postgres(&mut self) -> Result<&mut PgConnection, StatementError> {
        let connection = connection_of(&mut *self.0).await.ok_or(StatementError::OtherDatabase)?;
        connection.map_err(|error| StatementError::Store(error.into()))
    }

    /// Runs statements with rusqlite, on the calling thread. Do not end the transaction.
    ///
    /// # Errors
    /// Those of `work`; and if the database is PostgreSQL, or the transaction was ended.
    pub fn sqlite<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StatementError> {
        match with_connection(&mut *self.0, work) {
            Some(Ok(value)) => Ok(value?),
            Some(Err(error)) => Err(StatementError::Store(error.into())),
            None => Err(StatementError::OtherDatabase),
        }
    }
}

/// Why a statement of the application failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The statement is for another database than that of `database.url`.
    #[error("the database is not the one that this statement is for")]
    OtherDatabase,
    /// SQLite rejected the statement.
    #[error("a statement of the application failed")]
    Sqlite(#[from] rusqlite::Error),
    /// The connection or the transaction is lost.
    #[error("the transaction is lost")]
    Store(#[source] Error),
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError<E> {
    /// The use case refused, or the database did not commit.
    #[error(transparent)]
    Denizen(#[from] Error),
    /// The application refused, or its statements failed.
    #[error(transparent)]
    Application(E),
    /// The statements of the application took too long.
    #[error("the statements of the application took longer than {} s", WORK_TIME_LIMIT.as_secs())]
    TimedOut,
    /// The use case wrote nothing that could be shared.
    #[error("the operation has no transaction to share")]
    NothingWritten,
}

impl Accounts {
    /// Commits rows of the application together with one use case: the user, its events and audit records, and the rows, or
    /// nothing.
    ///
    /// `operation` makes one call that writes. `work` gets its result and the open transaction, and adds the rows. If one of
    /// them fails, or the future is dropped, everything is rolled back. `work` must be short, at most five seconds: on SQLite,
    /// other writes wait for it. It must not call [`Accounts`] or the network.
    ///
    /// ```no_run
    /// # use denizen::accounts::{Accounts, NewAccount};
    /// # use denizen::transaction::{StatementError, TransactionError};
    /// # async fn example(accounts: Accounts) -> Result<(), TransactionError<StatementError>> {
    /// let new = NewAccount::new("ada@example.com", "correct horse battery", "Ada");
    /// let user = accounts
    ///     .transaction(
    ///         async |accounts| accounts.create_user(new).await,
    ///         async |user, tx| {
    ///             let id = user.id.to_string();
    ///             tx.sqlite(|rows| rows.execute("INSERT INTO profiles (user_id) VALUES (?1)", [id]))?;
    ///             Ok(())
    ///         },
    ///     )
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing is committed then.
    pub async fn transaction<T, E>(
        &self,
        operation: impl AsyncFnOnce(Accounts) -> Result<T>,
        work: impl AsyncFnOnce(&T, &mut SharedTransaction) -> Result<(), E>,
    ) -> Result<T, TransactionError<E>> {
        let deferred = Arc::new(DeferredCommit::single());
        let value = operation(self.deferring_commit(Arc::clone(&deferred))).await?;
        let tx = deferred.take_transaction().ok_or(TransactionError::NothingWritten)?;
        let mut shared = SharedTransaction(tx);
        begin_foreign(&mut *shared.0).await.map_err(Error::from)?;
        let worked = timeout(WORK_TIME_LIMIT, work(&value, &mut shared)).await;
        worked.map_err(|_| TransactionError::TimedOut)?.map_err(TransactionError::Application)?;
        end_foreign(&mut *shared.0).await.map_err(Error::from)?;
        deferred.finish(shared.0).await?;
        Ok(value)
    }
}
