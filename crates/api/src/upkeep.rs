//! What goes on beside the requests.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::events::tickets;
use denizen_domain::identities::tokens;
use denizen_domain::trace::SPAN_TARGET;
use denizen_domain::{
    Services, budgets, challenges, events, flows, idempotency, keys, mail, one_time, sessions, trace, usage, users,
    webhooks,
};
use denizen_infra::tracing_context;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::backup::Schedule;
use crate::config::Audit;
use crate::declarative::drift::DriftCheck;
use crate::http::Shared;
use crate::http::problem::Chain;
use crate::{audit_heads, deliveries, webhook_deliveries};

/// How much is removed at once, and how long others have their turn in between.
const PURGE_BATCH: u32 = 500;
const PURGE_PAUSE: Duration = Duration::from_millis(10);

/// Does it all until `stop` is cancelled.
pub(crate) async fn run(
    shared: Shared,
    audit: Audit,
    backups: Option<Arc<Schedule>>,
    drift: Option<Arc<DriftCheck>>,
    stop: CancellationToken,
) {
    let (services, feed, metrics) = (&shared.services, &shared.feed, &shared.metrics);
    let deliveries = deliveries::run(Arc::clone(services), Arc::clone(metrics), &stop);
    let webhooks = webhook_deliveries::run(Arc::clone(services), Arc::clone(metrics), feed.head(), &stop);
    let heads = audit_heads::export(services, &audit, &stop);
    let backups = back_up(&shared, backups, &stop);
    let drift = check_drift(&shared, drift, &stop);
    tokio::join!(Arc::clone(feed).pump(&stop), deliveries, webhooks, heads, keep(&shared, &stop), backups, drift);
}

async fn back_up(shared: &Shared, schedule: Option<Arc<Schedule>>, stop: &CancellationToken) {
    if let Some(schedule) = schedule {
        // A backup that is cancelled leaves no file.
        let work = async || stop.run_until_cancelled(schedule.run(&shared.services)).await.unwrap_or(Ok(()));
        BACK_UP.run(shared, stop, work).await;
    }
}

async fn check_drift(shared: &Shared, check: Option<Arc<DriftCheck>>, stop: &CancellationToken) {
    if let Some(check) = check {
        let job = Job { period: check.period(), ..CHECK_DRIFT };
        // Also at the start: the files may have come with this release.
        let first = stop.run_until_cancelled(check.run(&shared.services)).await.unwrap_or(Ok(()));
        shared.metrics.job_ran(job.name, first.is_ok(), shared.services.clock.now());
        report(job.action, false, first);
        let work = async || stop.run_until_cancelled(check.run(&shared.services)).await.unwrap_or(Ok(()));
        job.run(shared, stop, work).await;
    }
}

/// Periodic work.
struct Job {
    /// Its name in the metrics.
    name: &'static str,
    /// What it does, for the log.
    action: &'static str,
    period: Duration,
    /// Whether requests depend on it: then the node is not ready if it is late.
    is_essential: bool,
}

/// Changes to the keys by another node, or by the command line, apply here after this time.
const FOLLOW_KEYS: Job = Job {
    name: "refresh_signing_keys",
    action: "following signing keys",
    period: Duration::from_secs(2),
    // Otherwise the node rejects tokens that others sign with a new key.
    is_essential: true,
};
/// Creates the next signing key in time, and removes those that no token needs any more.
const KEEP_KEYS: Job = Job {
    name: "maintain_signing_keys",
    action: "maintaining signing keys",
    period: Duration::from_mins(1),
    is_essential: false,
};
/// Makes a backup when one is due.
const BACK_UP: Job =
    Job { name: "back_up", action: "making a backup", period: Duration::from_mins(1), is_essential: false };
/// Compares the database with the files of `apply.files`; the period is configured.
const CHECK_DRIFT: Job = Job {
    name: "check_drift",
    action: "comparing the database with apply.files",
    period: Duration::from_mins(1),
    is_essential: false,
};
const RECORD_USES: Job = Job {
    name: "record_uses",
    action: "recording last-use times",
    period: Duration::from_secs(10),
    is_essential: false,
};
const PSEUDONYMIZE: Job = Job {
    name: "pseudonymize",
    action: "erasing personal data of deleted users from the event log",
    period: Duration::from_mins(1),
    is_essential: false,
};
const PURGE: Job =
    Job { name: "purge", action: "deleting expired data", period: Duration::from_mins(1), is_essential: false };

/// Deletes users whose grace period has passed.
const DELETE_USERS: Job =
    Job { name: "delete_users", action: "deleting users", period: Duration::from_mins(1), is_essential: false };
/// How many users are taken at once to be deleted.
const DELETION_BATCH: u32 = 50;

async fn keep(shared: &Shared, stop: &CancellationToken) {
    let services = &shared.services;
    tokio::join!(
        FOLLOW_KEYS.run(shared, stop, || keys::follow(services)),
        KEEP_KEYS.run(shared, stop, || keys::keep(services)),
        RECORD_USES.run(shared, stop, || usage::record(services)),
        PURGE.run(shared, stop, || purge(services, stop)),
        PSEUDONYMIZE.run(shared, stop, || pseudonymize(services, stop)),
        DELETE_USERS.run(shared, stop, || delete_users(services, stop)),
    );
    // What was noted since the last time would be lost.
    report(RECORD_USES.action, false, usage::record(services).await);
}

impl Job {
    /// Runs once per period until `stop` is canceled. A failed run is repeated after the next period. It is logged once, not
    /// each time, or a lost database would fill the log.
    async fn run<W, E>(self, shared: &Shared, stop: &CancellationToken, work: impl Fn() -> W)
    where
        W: Future<Output = Result<(), E>>,
        E: std::error::Error + 'static,
    {
        let mut is_failing = false;
        let alive = || shared.heartbeats.note(self.name, self.period, self.is_essential);
        alive();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(self.period) => {}
            }
            let span = tracing::info_span!(target: SPAN_TARGET, "job", otel.name = self.name);
            let outcome = work().instrument(span).await;
            alive();
            shared.metrics.job_ran(self.name, outcome.is_ok(), shared.services.clock.now());
            is_failing = report(self.action, is_failing, outcome);
        }
    }
}

/// The span of a mail or a delivery, in the trace of the request that caused it, possibly on another node. Without an
/// exporter there is none, and nothing is looked up.
pub(crate) async fn span_after(services: &Services, cause: Uuid, name: &'static str) -> Span {
    if !tracing_context::is_on() {
        return Span::none();
    }
    let found = async { services.store.read().await?.find_trace(cause).await };
    let span = tracing::info_span!(target: SPAN_TARGET, "job", otel.name = name, otel.kind = "consumer");
    // If the trace cannot be read, the work is done all the same.
    tracing_context::continue_after(&span, found.await.ok().flatten());
    span
}

/// Tells of a failure, unless it is known, and whether it was one.
pub(crate) fn report<E: std::error::Error + 'static>(name: &str, is_known: bool, outcome: Result<(), E>) -> bool {
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
    while trace::purge(services, PURGE_BATCH).await? == u64::from(PURGE_BATCH) && pause(stop).await {}
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

async fn delete_users(services: &Arc<Services>, stop: &CancellationToken) -> denizen_domain::Result<()> {
    while users::purge(services, DELETION_BATCH).await? == u64::from(DELETION_BATCH) && pause(stop).await {}
    Ok(())
}

/// Erases personal data of deleted users from the event log.
async fn pseudonymize(services: &Services, stop: &CancellationToken) -> denizen_domain::Result<()> {
    let mut pseudonymization = events::Pseudonymization::default();
    while pseudonymization.step(services, PURGE_BATCH).await? && pause(stop).await {}
    Ok(())
}

/// Lets others have their turn; `false` when it is time to stop.
async fn pause(stop: &CancellationToken) -> bool {
    sleep(PURGE_PAUSE).await;
    !stop.is_cancelled()
}
