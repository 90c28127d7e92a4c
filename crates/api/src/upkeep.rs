//! What goes on beside the requests.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::events::tickets;
use denizen_domain::identities::tokens;
use denizen_domain::{
    Services, budgets, challenges, events, flows, idempotency, keys, mail, one_time, sessions, usage, webhooks,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Audit;
use crate::feed::Feed;
use crate::http::problem::Chain;
use crate::{audit_heads, deliveries, webhook_deliveries};

/// How often the signing keys are read: what another node, or the command line, did to them is felt so soon.
const FOLLOW_KEYS_EVERY: Duration = Duration::from_secs(2);
/// How often the next signing key is looked after, and what no token needs any more removed.
const KEEP_KEYS_EVERY: Duration = Duration::from_mins(1);
/// How often the moments of use are brought to the database.
const RECORD_USES_EVERY: Duration = Duration::from_secs(10);
/// How often what is past its time is removed, how much at once, and how long others have their turn in between.
const PURGE_EVERY: Duration = Duration::from_mins(1);
const PURGE_BATCH: u32 = 500;
const PURGE_PAUSE: Duration = Duration::from_millis(10);

/// Does it all until `stop` is cancelled.
pub(crate) async fn run(services: Arc<Services>, feed: Arc<Feed>, audit: Audit, stop: CancellationToken) {
    let deliveries = deliveries::run(Arc::clone(&services), &stop);
    let webhooks = webhook_deliveries::run(Arc::clone(&services), feed.head(), &stop);
    let heads = audit_heads::export(&services, &audit, &stop);
    tokio::join!(feed.pump(&stop), deliveries, webhooks, heads, keep(&services, &stop));
}

async fn keep(services: &Services, stop: &CancellationToken) {
    tokio::join!(
        every(FOLLOW_KEYS_EVERY, stop, "following signing keys", || keys::follow(services)),
        every(KEEP_KEYS_EVERY, stop, "maintaining signing keys", || keys::keep(services)),
        every(RECORD_USES_EVERY, stop, "recording last-use times", || usage::record(services)),
        every(PURGE_EVERY, stop, "deleting expired data", || purge(services, stop)),
    );
    // What was noted since the last time would be lost.
    report("recording last-use times", false, usage::record(services).await);
}

/// Works again and again until `stop` is cancelled. What fails is tried again the next time; it is told once, not
/// each time, or a lost database would fill the log.
async fn every<W>(period: Duration, stop: &CancellationToken, name: &str, mut work: impl FnMut() -> W)
where
    W: Future<Output = denizen_domain::Result<()>>,
{
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(period) => {}
        }
        is_failing = report(name, is_failing, work().await);
    }
}

/// Tells of a failure, unless it is known, and whether it was one.
pub(crate) fn report(name: &str, is_known: bool, outcome: denizen_domain::Result<()>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(error) if is_known => {
            tracing::debug!(error = %Chain(&error), "{name} is still failing");
            true
        }
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "{name} failed, retrying");
            true
        }
    }
}

/// Brings forward what a clock that was set back would hold up, and removes what is past its time, in small batches that let others in between.
async fn purge(services: &Services, stop: &CancellationToken) -> denizen_domain::Result<()> {
    mail::hasten(services).await?;
    webhooks::hasten(services).await?;
    while idempotency::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while one_time::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while challenges::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while flows::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while tokens::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while budgets::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while tickets::purge_tickets(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while events::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while webhooks::park_overdue(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while webhooks::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    while sessions::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
    Ok(())
}

/// Lets others have their turn; `false` when it is time to stop.
async fn pause(stop: &CancellationToken) -> bool {
    sleep(PURGE_PAUSE).await;
    !stop.is_cancelled()
}
