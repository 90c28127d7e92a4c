//! Whether writes succeed, and whether the writing connection must be replaced.

use std::sync::atomic::{AtomicBool, Ordering};

use denizen_domain::store::StoreError;
use sqlx::{Connection, SqlitePool, query};

use crate::error::{is_write_failure, store_error};

/// What the last failed write says about the next one.
#[derive(Debug, Default)]
pub(crate) struct WriteHealth {
    /// A write failed, and none has been proven to succeed since.
    has_failed: AtomicBool,
    /// The writing connection met an I/O error and may know the file as it no longer is.
    must_replace: AtomicBool,
    /// Held while it is tried out whether writes succeed again: by one at a time.
    trial: tokio::sync::Mutex<()>,
}

impl WriteHealth {
    /// Notes what became of a write.
    pub(crate) fn note<T>(&self, outcome: &Result<T, StoreError>) {
        if let Err(error) = outcome {
            self.note_error(error);
        }
    }

    /// Notes why a write failed.
    pub(crate) fn note_error(&self, error: &StoreError) {
        if is_write_failure(error) {
            self.note_failure();
            self.must_replace.store(true, Ordering::Release);
        }
    }

    /// Notes that a write failed on another connection than the pooled one.
    pub(crate) fn note_failure(&self) {
        self.has_failed.store(true, Ordering::Release);
    }

    /// Whether the writing connection can be used once more. One that is still in a transaction, because the transaction
    /// could not be rolled back, would refuse every other.
    pub(crate) fn is_usable(&self, connection: &sqlx::SqliteConnection) -> bool {
        let is_stuck = connection.is_in_transaction();
        if is_stuck {
            self.note_failure();
        }
        let must_replace = self.must_replace.swap(false, Ordering::AcqRel);
        if is_stuck || must_replace {
            tracing::info!(is_stuck, "replacing the writing connection of the database after an error");
        }
        !is_stuck && !must_replace
    }

    /// After a write that failed, writes four bytes of the file's header to find out whether writes succeed again.
    pub(crate) async fn check(&self, writer: &SqlitePool) -> Result<(), StoreError> {
        if !self.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let _one = self.trial.lock().await;
        if !self.has_failed.load(Ordering::Acquire) {
            return Ok(());
        }
        // Nothing else uses this number. To set it writes the page even when it stays the same, unlike an UPDATE.
        let outcome = query("PRAGMA user_version = 0").execute(writer).await.map(drop).map_err(store_error);
        self.note(&outcome);
        outcome?;
        self.has_failed.store(false, Ordering::Release);
        Ok(())
    }
}
