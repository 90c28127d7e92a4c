//! Give up what is past its time, and forget what is long past.

use super::settle::{PAUSE_MAX_MS, RETRY_MAX_MS};
use super::take::LEASE_SLACK_S;
use crate::ctx::Services;
use crate::error::Result;
use crate::time::CLOCK_SKEW_S;

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

/// Makes deliveries due that would wait longer than any pause or lease lasts, because the clock was set back since.
pub async fn hasten(services: &Services) -> Result<()> {
    let now = services.clock.now();
    let lease_s = services.policy.webhooks.timeout_s + LEASE_SLACK_S;
    let latest = now.plus_seconds(lease_s.max(RETRY_MAX_MS / 1_000) + CLOCK_SKEW_S);
    let paused_until = now.plus_seconds(lease_s.max(PAUSE_MAX_MS / 1_000) + CLOCK_SKEW_S);
    let mut tx = services.store.write().await?;
    tx.hasten_deliveries(now, latest, paused_until).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes at most so many deliveries that are long over, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let before = services.clock.now().minus_seconds(KEPT_S);
    let mut tx = services.store.write().await?;
    let removed = tx.remove_deliveries(before, limit).await?;
    tx.commit().await?;
    Ok(removed)
}
