//! Give up what is past its time, and forget what is long past.

use crate::ctx::Services;
use crate::error::Result;

/// How long a delivery that is over is kept, in seconds: 7 days.
const KEPT_S: u32 = 7 * 24 * 60 * 60;

/// Parks at most so many pending deliveries of each webhook that are past their time, and says how many of one there were
/// at most: with `limit` there may be more.
pub async fn park_overdue(services: &Services, limit: u32) -> Result<u64> {
    let now = services.clock.now();
    let overdue = services.store.read().await?.overdue_webhooks(now).await?;
    let mut most = 0;
    for id in overdue {
        let mut tx = services.store.write().await?;
        if tx.lock_webhook(id).await?.is_none() {
            continue;
        }
        let mut subjects = tx.park_overdue_deliveries(id, now, limit).await?;
        most = most.max(subjects.len() as u64);
        subjects.sort_unstable();
        subjects.dedup();
        tx.release_deliveries(id, &subjects, now).await?;
        tx.commit().await?;
    }
    Ok(most)
}

/// Removes at most so many deliveries that are long over, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let before = services.clock.now().minus_seconds(KEPT_S);
    let mut tx = services.store.write().await?;
    let removed = tx.remove_deliveries(before, limit).await?;
    tx.commit().await?;
    Ok(removed)
}
