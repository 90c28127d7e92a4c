//! Sign out.

use super::EndReason;
use crate::ctx::Ctx;
use crate::error::Result;

/// Ends the caller's own session. Ending it twice is no error.
pub async fn end_current(ctx: &Ctx) -> Result<()> {
    let principal = ctx.principal()?;
    let mut tx = ctx.store().write().await?;
    tx.end_session(principal.session_id, EndReason::SignedOut, ctx.now()).await?;
    tx.commit().await?;
    Ok(())
}
