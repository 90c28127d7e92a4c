//! Remove sessions that are past their time.

use crate::ctx::Services;
use crate::error::Result;

/// Removes at most so many expired sessions, the longest expired first, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.remove_expired_sessions(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
