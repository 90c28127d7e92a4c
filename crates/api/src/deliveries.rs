//! Sending what the outbox holds, beside the requests: several at once, so that one server that hangs holds up few.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::Services;
use denizen_domain::mail::{self, Delivery, DueMail};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::http::problem::Chain;
use crate::metrics::Metrics;
use crate::upkeep::{report, span_after};

/// How many mails are sent at once.
const AT_ONCE: usize = 8;
/// How often the outbox is looked into for what other nodes wrote, and what is to be tried again. What this one wrote
/// wakes it at once.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Does it until `stop` is cancelled, then finishes what it began.
pub(crate) async fn run(services: Arc<Services>, metrics: Arc<Metrics>, stop: &CancellationToken) {
    if !services.policy.sends_mail {
        return;
    }
    let mut running = JoinSet::new();
    let mut troubles = Troubles { metrics, is_store_failing: false, is_server_failing: false };
    while !stop.is_cancelled() {
        // Whatever is taken is begun at once: the time for which it is ours runs already.
        let free = AT_ONCE.saturating_sub(running.len());
        for due in take(&services, free, &mut troubles).await {
            running.spawn(deliver(Arc::clone(&services), due));
        }
        if running.is_empty() {
            services.mailer.rest().await;
        }
        let is_full = running.len() >= AT_ONCE;
        tokio::select! {
            () = stop.cancelled() => {}
            Some(done) = running.join_next(), if !running.is_empty() => troubles.note(done.ok()),
            () = services.store.mail_enqueued(), if !is_full => {}
            () = sleep(POLL_EVERY), if !is_full => {}
        }
    }
    while let Some(done) = running.join_next().await {
        troubles.note(done.ok());
    }
}

async fn take(services: &Services, free: usize, troubles: &mut Troubles) -> Vec<DueMail> {
    let limit = u32::try_from(free).unwrap_or_default();
    if limit == 0 {
        return Vec::new();
    }
    let taken = mail::take(services, limit).await;
    let (taken, outcome) = match taken {
        Ok(taken) => (taken, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    troubles.is_store_failing = report("leasing mail from the outbox", troubles.is_store_failing, outcome);
    taken
}

type Outcome = (DueMail, denizen_domain::Result<Delivery>);

async fn deliver(services: Arc<Services>, due: DueMail) -> Outcome {
    let span = span_after(&services, due.id.as_uuid(), "mail.deliver").await;
    let outcome = mail::deliver(&services, &due).instrument(span).await;
    (due, outcome)
}

/// What goes wrong, so that it is told once and not for each mail.
struct Troubles {
    metrics: Arc<Metrics>,
    is_store_failing: bool,
    is_server_failing: bool,
}

impl Troubles {
    /// Tells what became of a mail: never to whom, nor what it opens. Nothing came of one whose task panicked, which
    /// is told already.
    fn note(&mut self, outcome: Option<Outcome>) {
        let Some((due, outcome)) = outcome else { return };
        let DueMail { id, attempts, mail, .. } = due;
        let mail_id = id.as_uuid();
        let kind = mail.map_or("unknown", |mail| mail.subject.as_str());
        self.metrics.mail(result_of(&outcome));
        match outcome {
            Ok(Delivery::Sent) => {
                self.is_server_failing = false;
                tracing::debug!(%mail_id, kind, attempts, "mail sent");
            }
            Ok(Delivery::Settled) => tracing::debug!(%mail_id, kind, attempts, "mail settled"),
            Ok(Delivery::PutBack(error)) if self.is_server_failing => {
                tracing::debug!(%mail_id, kind, attempts, error = %Chain(&error), "sending failed, retrying later");
            }
            Ok(Delivery::PutBack(error)) => {
                self.is_server_failing = true;
                tracing::warn!(%mail_id, kind, attempts, error = %Chain(&error), "sending failed, retrying later");
            }
            Ok(Delivery::Refused(error)) => {
                tracing::warn!(%mail_id, kind, attempts, error = %Chain(&error), "mail rejected, dropping it");
            }
            Ok(Delivery::Expired) => {
                tracing::warn!(%mail_id, kind, attempts, "mail not delivered in time, dropping it");
            }
            Ok(Delivery::Unreadable) => {
                tracing::debug!(%mail_id, attempts, "mail was queued by another release, leaving it");
            }
            Err(error) => {
                self.is_store_failing = report("settling mail in the outbox", self.is_store_failing, Err(error));
            }
        }
    }
}

/// What became of a mail, for the metrics.
fn result_of(outcome: &denizen_domain::Result<Delivery>) -> &'static str {
    match outcome {
        Ok(Delivery::Sent) => "sent",
        Ok(Delivery::Settled) => "settled",
        Ok(Delivery::PutBack(_)) => "retried",
        Ok(Delivery::Refused(_)) => "rejected",
        Ok(Delivery::Expired) => "expired",
        Ok(Delivery::Unreadable) => "unreadable",
        Err(_) => "failed",
    }
}
