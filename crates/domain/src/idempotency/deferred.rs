//! A commit that waits for the answer of its request.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::store::{StoreError, WriteTx};

type AfterCommit = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Why a second transaction fails where there can be one only.
const SECOND: &str = "a shared transaction has one operation that writes";

/// Holds the last transaction of a request back, until its answer is known and can be committed with it.
///
/// Dropped with a transaction in it, the transaction is rolled back. While one is in it, nothing else may be written or
/// read on behalf of the request: SQLite has one writer, and reads do not see what is not committed. [`Ctx`] commits it
/// before it begins another transaction.
///
/// [`Ctx`]: crate::ctx::Ctx
#[derive(Default)]
pub struct DeferredCommit {
    /// Whether a second transaction is an error, not the end of the first.
    is_single: bool,
    transaction: Mutex<Option<Box<dyn WriteTx>>>,
    after_commit: Mutex<Vec<AfterCommit>>,
}

impl DeferredCommit {
    /// For one transaction. A second one is an error, and nothing is committed before [`Self::finish`].
    #[must_use]
    pub fn single() -> Self {
        Self { is_single: true, ..Self::default() }
    }

    /// Holds a finished transaction back. One that is held back already is committed.
    pub(crate) async fn hold(&self, tx: Box<dyn WriteTx>) -> Result<(), StoreError> {
        if self.is_single && self.is_pending() {
            return Err(StoreError::Broken(SECOND.into()));
        }
        let earlier = self.transaction.lock().unwrap_or_else(PoisonError::into_inner).replace(tx);
        match earlier {
            Some(earlier) => earlier.commit().await,
            None => Ok(()),
        }
    }

    /// Commits what is held back.
    pub(crate) async fn settle(&self) -> Result<()> {
        if self.is_single && self.is_pending() {
            return Err(StoreError::Broken(SECOND.into()).into());
        }
        match self.take() {
            Some(tx) => {
                tx.commit().await?;
                self.run_after_commit().await
            }
            None => Ok(()),
        }
    }

    /// The transaction that is held back, to be completed by other rows and [`Self::finish`].
    #[must_use]
    pub fn take_transaction(&self) -> Option<Box<dyn WriteTx>> {
        self.take()
    }

    /// Commits a transaction that was taken, and does what was noted for after it.
    ///
    /// # Errors
    /// If the commit fails: then nothing of it remains.
    pub async fn finish(&self, tx: Box<dyn WriteTx>) -> Result<()> {
        tx.commit().await?;
        self.run_after_commit().await
    }

    /// The transaction that is held back.
    pub(super) fn take(&self) -> Option<Box<dyn WriteTx>> {
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the request has written something that is not committed yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Whether a read would miss what the request has written.
    pub(crate) fn forbids_reads(&self) -> bool {
        !self.is_single && self.is_pending()
    }

    /// Notes what is to be done once the transaction is committed.
    pub(crate) fn after_commit(&self, work: impl Future<Output = Result<()>> + Send + 'static) {
        self.after_commit.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
    }

    /// Does what was noted, all of it, and returns the first failure.
    pub(super) async fn run_after_commit(&self) -> Result<()> {
        let noted = std::mem::take(&mut *self.after_commit.lock().unwrap_or_else(PoisonError::into_inner));
        let mut outcome = Ok(());
        for work in noted {
            let done = work.await;
            outcome = outcome.and(done);
        }
        outcome
    }
}
