//! Telling webhooks what happened, beside the requests: each webhook has its own share of what is under way, so that one
//! that hangs holds up nobody else.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use denizen_domain::Services;
use denizen_domain::id::WebhookId;
use denizen_domain::webhooks::{self, Attempt, Settled, Taken};
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::http::events::body::EventBody;
use crate::metrics::Metrics;
use crate::upkeep::{report, span_after};

/// How often is looked for what other nodes left, and what is to be tried again. What this one recorded wakes it at once.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// How long changes are gathered when nothing is under way: a look for each of many would cost as much as the changes.
const GATHER: Duration = Duration::from_millis(20);
/// How long further settled deliveries are waited for before the next ones are taken, so that several are taken at once.
const GATHER_SETTLED: Duration = Duration::from_millis(5);
/// How long what is under way may take to finish when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Does it until `stop` is cancelled, then finishes what it began, as far as that is soon. Whenever `recorded` changes, there may be something new
/// in the log.
pub(crate) async fn run(
    services: Arc<Services>,
    metrics: Arc<Metrics>,
    mut recorded: watch::Receiver<i64>,
    stop: &CancellationToken,
) {
    let mut running = Running::default();
    let mut is_failing = false;
    let mut poll = interval(POLL_EVERY);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = Look::AtLogAndDue;
    while !stop.is_cancelled() {
        let outcome = work(&services, &mut running, look).await;
        is_failing = report("sending webhook deliveries", is_failing, outcome);
        look = tokio::select! {
            () = stop.cancelled() => break,
            Some(settled) = running.next(), if !running.is_empty() => {
                note(settled, &metrics, &mut is_failing);
                while let Ok(Some(settled)) = timeout(GATHER_SETTLED, running.next()).await {
                    note(settled, &metrics, &mut is_failing);
                }
                Look::AtDue
            }
            Ok(()) = recorded.changed() => {
                if running.is_empty() {
                    sleep(GATHER).await;
                }
                Look::AtLogAndDue
            }
            _ = poll.tick() => Look::AtLogAndDue,
        }
    }
    let finishing = async {
        while let Some(settled) = running.next().await {
            note(settled, &metrics, &mut is_failing);
        }
    };
    // Whoever takes longer is asked again when the lease has run out, by another node or the next start.
    let _ = timeout(STOP_PATIENCE, finishing).await;
}

/// Where to look for work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// At the deliveries that are due: those that waited for one that has been settled.
    AtDue,
    /// At the log for new events first.
    AtLogAndDue,
}

/// Looks for what is new and what is due, and begins it.
async fn work(services: &Arc<Services>, running: &mut Running, look: Look) -> denizen_domain::Result<()> {
    if look == Look::AtLogAndDue {
        loop {
            match webhooks::fan_out(services).await? {
                webhooks::Left::More => {}
                webhooks::Left::NoEvents => break,
                webhooks::Left::NoWebhooks => return Ok(()),
            }
        }
    }
    // The leases run from here: each delivery starts at once.
    for taken in webhooks::take(services, |id| running.count(id)).await? {
        running.start(taken.webhook, deliver(Arc::clone(services), taken));
    }
    Ok(())
}

type Outcome = (Taken, denizen_domain::Result<(Settled, Attempt)>);

async fn deliver(services: Arc<Services>, taken: Taken) -> Outcome {
    let body = taken.event.clone().map(|event| EventBody::new(services.vault.as_ref(), event));
    let body = body.map(|body| serde_json::to_vec(&body).expect("an event is JSON"));
    let span = span_after(&services, taken.due.event.as_uuid(), "webhook.deliver").await;
    let outcome = webhooks::settle(&services, &taken, body).instrument(span).await;
    (taken, outcome)
}

/// Deliveries in flight, and their number per webhook.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Outcome>,
    webhooks: HashMap<task::Id, WebhookId>,
    counts: HashMap<WebhookId, u32>,
}

impl Running {
    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The number of deliveries in flight to a webhook.
    fn count(&self, webhook: WebhookId) -> u32 {
        self.counts.get(&webhook).copied().unwrap_or_default()
    }

    fn start(&mut self, webhook: WebhookId, delivery: impl Future<Output = Outcome> + Send + 'static) {
        let task = self.tasks.spawn(delivery);
        self.webhooks.insert(task.id(), webhook);
        *self.counts.entry(webhook).or_default() += 1;
    }

    /// Waits for the next delivery to end, and returns `None` if there is none. A delivery that panicked has no outcome;
    /// the panic is already logged.
    async fn next(&mut self) -> Option<Option<Outcome>> {
        let (id, outcome) = match self.tasks.join_next_with_id().await? {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        if let Some(webhook) = self.webhooks.remove(&id)
            && let Entry::Occupied(mut count) = self.counts.entry(webhook)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Some(outcome)
    }
}

/// Tells what became of a delivery: never where to, nor what it told.
fn note(settled: Option<Outcome>, metrics: &Metrics, is_failing: &mut bool) {
    let Some((taken, outcome)) = settled else { return };
    let (webhook_id, delivery_id, attempts) = (taken.webhook, taken.due.id, taken.due.attempts);
    metrics.webhook_attempt(result_of(&outcome));
    match outcome {
        Ok((settled @ (Settled::Parked | Settled::Disabled), attempt)) => {
            let (status, error) = (attempt.status, attempt.error);
            tracing::warn!(%webhook_id, %delivery_id, attempts, status, error, ?settled, "delivery parked");
        }
        Ok((settled, attempt)) => {
            let (status, error) = (attempt.status, attempt.error);
            tracing::debug!(%webhook_id, %delivery_id, attempts, status, error, ?settled, "delivery attempted");
        }
        Err(error) => *is_failing = report("settling a delivery", *is_failing, Err(error)),
    }
}

/// What became of a request, for the metrics.
fn result_of(outcome: &denizen_domain::Result<(Settled, Attempt)>) -> &'static str {
    match outcome {
        Ok((Settled::Delivered, _)) => "delivered",
        Ok((Settled::PutBack, _)) => "retried",
        Ok((Settled::Parked, _)) => "parked",
        Ok((Settled::Disabled, _)) => "disabled",
        Ok((Settled::Lost, _)) => "obsolete",
        Err(_) => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Running};
    use denizen_domain::id::WebhookId;
    use uuid::Uuid;

    #[tokio::test]
    async fn a_panic_ends_one_delivery_and_leaves_the_counts_of_the_others() {
        let (first, second) = (WebhookId::from_uuid(Uuid::from_u128(1)), WebhookId::from_uuid(Uuid::from_u128(2)));
        let mut running = Running::default();
        running.start(first, async { panic!("a bug") });
        running.start(first, std::future::pending::<Outcome>());
        running.start(second, std::future::pending::<Outcome>());
        assert!(matches!(running.next().await, Some(None)));
        assert_eq!((running.count(first), running.count(second)), (1, 1));
        assert_eq!(running.webhooks.len(), 2);
    }
}
