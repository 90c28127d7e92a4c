//! Remove notes of flows that have expired.

use crate::ctx::Services;
use crate::error::Result;

/// Removes at most so many notes of expired flows, and returns how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_flows(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
