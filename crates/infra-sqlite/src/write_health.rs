//! Whether writes succeed.

use std::sync::atomic::{AtomicU64, Ordering};

use denizen_domain::store::StoreError;

use crate::error::is_write_failure;
use crate::shared::changes::Changes;
use crate::shared::wake::{Waiting, Wake};
use crate::writer::Writer;

/// What the last failed write says about the next one.
#[derive(Debug, Default)]
pub(crate) struct WriteHealth {
    /// How many writes failed since one has been proven to succeed.
    failures: AtomicU64,
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
        }
    }

    /// Notes that a write failed.
    pub(crate) fn note_failure(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
    }

    /// After a write that failed, writes four bytes of the file's header to find out whether writes succeed again.
    pub(crate) async fn check(&self, writer: &Writer) -> Result<(), StoreError> {
        if self.failures.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let _one = self.trial.lock().await;
        let failures = self.failures.load(Ordering::Acquire);
        if failures == 0 {
            return Ok(());
        }
        let mut turn = writer.begin().await?;
        // Nothing else uses this number. To set it writes the page even when it stays the same, unlike an UPDATE.
        turn.run(|connection| connection.execute_batch("PRAGMA user_version = 0"))?;
        turn.commit(Changes::new(), Wake::nobody(&Waiting::default())).await?;
        // A write that failed during the trial counts for the next one.
        let _ = self.failures.compare_exchange(failures, 0, Ordering::AcqRel, Ordering::Acquire);
        Ok(())
    }
}
