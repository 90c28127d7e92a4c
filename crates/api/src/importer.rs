//! An import as it proceeds: rows into batches, and what became of each. The same over REST and gRPC.

use std::time::Duration;

use denizen_domain::error::FieldError;
use denizen_domain::id::UserId;
use denizen_domain::users::{self, ImportMode, ImportOutcome, ImportUser};
use denizen_domain::{Ctx, Result, tokens};

/// How many users are written in one transaction.
const BATCH: usize = 500;
/// How long a client may stay silent amid its upload.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Is told what became of each row, by its number, from 1. Rows of a batch are told when it is written.
pub(crate) trait ImportReport {
    /// The row made this user, or would have.
    fn created(&mut self, row: u64, user: UserId);
    /// The row was refused, for these fields.
    fn refused(&mut self, row: u64, fields: Vec<FieldError>);
}

/// Takes rows one by one and writes them in batches: whoever sends them waits meanwhile.
pub(crate) struct Importer<R> {
    ctx: Ctx,
    mode: ImportMode,
    batch: Vec<(u64, ImportUser)>,
    /// What became of the rows so far.
    pub(crate) report: R,
}

impl<R: ImportReport> Importer<R> {
    pub(crate) fn new(ctx: Ctx, mode: ImportMode, report: R) -> Self {
        Self { ctx, mode, batch: Vec::with_capacity(BATCH), report }
    }

    /// Takes a row, or what is wrong with it.
    pub(crate) async fn take(&mut self, row: u64, parsed: Result<ImportUser, Vec<FieldError>>) -> Result<()> {
        match parsed {
            Ok(user) => self.batch.push((row, user)),
            Err(fields) => self.report.refused(row, fields),
        }
        if self.batch.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    /// Writes what is left.
    pub(crate) async fn finish(mut self) -> Result<R> {
        self.flush().await?;
        Ok(self.report)
    }

    async fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (rows, batch): (Vec<u64>, Vec<ImportUser>) = self.batch.drain(..).unzip();
        // The stream may be long; who began it may no longer be allowed to go on.
        self.ctx = tokens::renew(&self.ctx).await?;
        let outcomes = users::import(&self.ctx, batch, self.mode).await?;
        for (row, outcome) in rows.into_iter().zip(outcomes) {
            match (outcome, outcome.fault()) {
                (ImportOutcome::Created(user), _) => self.report.created(row, user),
                (_, Some(fault)) => self.report.refused(row, vec![fault]),
                (_, None) => {}
            }
        }
        Ok(())
    }
}
