//! An import as it proceeds: rows into batches, and what became of each. The same over REST and gRPC.

use std::time::Duration;

use denizen_domain::error::FieldError;
use denizen_domain::id::UserId;
use denizen_domain::users::{self, ImportOptions, ImportOutcome, ImportUser, NotCarried};
use denizen_domain::{Ctx, Result, tokens};

/// How many users are written in one transaction.
pub(crate) const BATCH: usize = 500;
/// How long a client may stay silent amid its upload.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Is told what became of each row, by its number, from 1. Rows of a batch are told when it is written.
pub(crate) trait ImportReport {
    /// The row made this user, or would have.
    fn created(&mut self, row: u64, user: UserId);
    /// The row changed this user, or would have.
    fn updated(&mut self, row: u64, user: UserId);
    /// The user of the row exists and is unchanged.
    fn skipped(&mut self, row: u64);
    /// The row was refused, for these fields.
    fn refused(&mut self, row: u64, fields: Vec<FieldError>);
    /// The import stopped at a row.
    fn stopped(&mut self);
    /// The credentials of rows that were not imported.
    fn not_carried(&mut self, counts: NotCarried);
}

/// Takes rows one by one and writes them in batches: whoever sends them waits meanwhile.
pub(crate) struct Importer<R> {
    ctx: Ctx,
    options: ImportOptions,
    batch: Vec<(u64, ImportUser)>,
    is_stopped: bool,
    /// What became of the rows so far.
    pub(crate) report: R,
}

impl<R: ImportReport> Importer<R> {
    pub(crate) fn new(ctx: Ctx, options: ImportOptions, report: R) -> Self {
        Self { ctx, options, batch: Vec::with_capacity(BATCH), is_stopped: false, report }
    }

    /// Whether the import stopped: no further row is imported.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
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
        if self.batch.is_empty() || self.is_stopped {
            return Ok(());
        }
        let (rows, batch): (Vec<u64>, Vec<ImportUser>) = self.batch.drain(..).unzip();
        // The stream may be long; who began it may no longer be allowed to go on.
        self.ctx = tokens::renew(&self.ctx).await?;
        let results = users::import(&self.ctx, batch, self.options).await?;
        let mut not_carried = NotCarried::default();
        for (row, result) in rows.into_iter().zip(results) {
            if matches!(result.outcome, ImportOutcome::Created(_) | ImportOutcome::Updated(_)) {
                not_carried += result.not_carried;
            }
            match result.outcome {
                ImportOutcome::Created(user) => self.report.created(row, user),
                ImportOutcome::Updated(user) => self.report.updated(row, user),
                ImportOutcome::Skipped => self.report.skipped(row),
                ImportOutcome::Refused(faults) => self.report.refused(row, faults),
                ImportOutcome::Stopped(fault) => {
                    self.report.refused(row, vec![fault]);
                    self.report.stopped();
                    self.is_stopped = true;
                }
                ImportOutcome::NotReached => {}
            }
        }
        self.report.not_carried(not_carried);
        Ok(())
    }
}
