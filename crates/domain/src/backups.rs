//! What is recorded of backups and moves.

use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::{Happened, record};
use crate::time::Timestamp;

/// Records that the database was restored from a backup that was made at this time.
pub async fn record_restore(ctx: &Ctx, backup_created_at: Timestamp) -> Result<()> {
    let mut tx = ctx.write().await?;
    record(ctx, &mut *tx, "database", Happened::DatabaseRestored { backup_created_at });
    ctx.commit(tx).await
}

/// Records that everything was moved here from another database. The event distinguishes the log from that of the other
/// database, so that a later move does not overwrite this one.
pub async fn record_move(ctx: &Ctx) -> Result<()> {
    let mut tx = ctx.write().await?;
    record(ctx, &mut *tx, "database", Happened::DatabaseMoved {});
    ctx.commit(tx).await
}
