//! Remove records that are past their time.

use crate::ctx::Services;
use crate::error::Result;

/// Removes at most so many records that are older than `events.retention_days`, the oldest first, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let Some(kept_s) = services.policy.events_kept_s else { return Ok(0) };
    let before = services.clock.now().minus_seconds(kept_s);
    let mut tx = services.store.write().await?;
    let removed = tx.remove_events(before, limit).await?;
    tx.commit().await?;
    Ok(removed)
}
