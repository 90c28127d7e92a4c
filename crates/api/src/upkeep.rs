//! What goes on beside the requests.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::{Services, idempotency};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::http::problem::Chain;

/// How often what is past its time is removed, and how much at once.
const PURGE_EVERY: Duration = Duration::from_mins(1);
const PURGE_BATCH: u32 = 500;

/// Removes what is past its time, in small batches that let other writers in between.
pub(crate) async fn purge(services: Arc<Services>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(PURGE_EVERY) => {}
        }
        loop {
            match idempotency::purge(&services, PURGE_BATCH).await {
                Ok(removed) if removed == u64::from(PURGE_BATCH) && !stop.is_cancelled() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "expired idempotency keys were not removed");
                    break;
                }
            }
        }
    }
}
