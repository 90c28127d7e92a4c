//! Remove budgets that are forgotten.

use crate::ctx::Services;
use crate::error::Result;

/// Removes at most so many budgets whose time is over, the longest over first, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_budgets(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
