//! Make a delivery, and settle what becomes of it.

use super::creator::disabled;
use super::store::Outcome;
use super::{Attempt, DeliveryState, DisabledReason, Health, Patience, Taken, Webhook, WebhookStatus};
use crate::ctx::Services;
use crate::error::Result;
use crate::events::{Happened, record_system};
use crate::ports::{Random, WebhookAnswer, WebhookMessage};
use crate::store::WriteTx;
use crate::time::Timestamp;

/// After so many failures in a row a webhook is left alone for a while.
pub(super) const OPEN_AFTER: u32 = 5;
/// The longest pause between two attempts, in milliseconds: an hour.
pub(super) const RETRY_MAX_MS: u32 = 60 * 60 * 1_000;
/// How much longer than the first pause between attempts a webhook is first left alone.
const PAUSE_FACTOR: u32 = 6;
/// The longest that a webhook is left alone, in milliseconds: 10 minutes.
pub(super) const PAUSE_MAX_MS: u32 = 10 * 60 * 1_000;
/// HTTP's way of saying that nobody will be there again (RFC 9110 §15.5.11).
const GONE: u16 = 410;
/// RFC 6585 §4.
const TOO_MANY_REQUESTS: u16 = 429;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The other side has it.
    Delivered,
    /// It is tried again later.
    PutBack,
    /// It was given up.
    Parked,
    /// The other side wants nothing any more: the webhook is disabled.
    Disabled,
    /// Somebody else has it, or the webhook is gone.
    Lost,
}

/// Makes a delivery that was taken, with the body that tells its event, and settles what becomes of it.
pub async fn settle(services: &Services, taken: &Taken, body: Option<Vec<u8>>) -> Result<(Settled, Attempt)> {
    let at = services.clock.now();
    let answer = match body {
        Some(body) => {
            let id = taken.due.event.to_string();
            let message =
                WebhookMessage { url: taken.url.as_str(), id: &id, sent_at: at, body, secrets: &taken.secrets };
            send(services, message).await
        }
        None => WebhookAnswer::failed("event_removed"),
    };
    let retry_after_s = answer.retry_after_s;
    let attempt = attempt(at, answer);
    let now = services.clock.now();
    let mut tx = services.store.write().await?;
    let Some(webhook) = tx.lock_webhook(taken.webhook).await? else { return Ok((Settled::Lost, attempt)) };
    let outcome = outcome(services, taken, &attempt, now);
    let Some(state) = tx.settle_delivery(&taken.due, &outcome, &attempt).await? else {
        return Ok((Settled::Lost, attempt));
    };
    let settled = settled(state, &attempt);
    if state != DeliveryState::Pending {
        tx.release_deliveries(taken.webhook, std::slice::from_ref(&taken.due.subject), now).await?;
    }
    if settled == Settled::Disabled {
        disable(services, &mut *tx, webhook, DisabledReason::Gone, now).await?;
    } else {
        let health = health(webhook.health, services.policy.webhooks, taken, &attempt, retry_after_s, now);
        if health != webhook.health {
            tx.set_webhook_health(taken.webhook, health).await?;
        }
    }
    tx.commit().await?;
    Ok((settled, attempt))
}

/// Sends a request, if it can be signed.
pub(super) async fn send(services: &Services, message: WebhookMessage<'_>) -> WebhookAnswer {
    if message.secrets.is_empty() {
        // That is the trouble of one webhook, and no reason to stop the others.
        return WebhookAnswer::failed("secret_unreadable");
    }
    services.webhook_sender.send(message).await
}

/// The answer as it is kept.
pub(super) fn attempt(at: Timestamp, answer: WebhookAnswer) -> Attempt {
    let WebhookAnswer { status, latency_ms, answer, error, retry_after_s: _ } = answer;
    Attempt { at, status, latency_ms, answer, error: error.map(str::to_owned) }
}

fn outcome(services: &Services, taken: &Taken, attempt: &Attempt, now: Timestamp) -> Outcome {
    if attempt.is_success() {
        return Outcome { state: DeliveryState::Delivered, due_at: None };
    }
    if attempt.status == Some(GONE) || taken.event.is_none() {
        return Outcome { state: DeliveryState::Parked, due_at: None };
    }
    let pause = retry_pause_ms(services.random.as_ref(), services.policy.webhooks, taken.due.attempts);
    Outcome { state: DeliveryState::Pending, due_at: Some(now.plus_millis(pause)) }
}

fn settled(state: DeliveryState, attempt: &Attempt) -> Settled {
    match state {
        DeliveryState::Delivered => Settled::Delivered,
        DeliveryState::Pending => Settled::PutBack,
        DeliveryState::Parked if attempt.status == Some(GONE) => Settled::Disabled,
        DeliveryState::Parked => Settled::Parked,
    }
}

/// How long to wait after so many attempts, in milliseconds: twice as long each time, and a random part of the second
/// half of it less, so that what failed together does not come back together.
fn retry_pause_ms(random: &dyn Random, patience: Patience, attempts: u32) -> u32 {
    let longest = doubled(patience.retry_first_ms, attempts.saturating_sub(1), RETRY_MAX_MS).max(2);
    let mut chance = [0; 4];
    random.fill(&mut chance);
    longest - u32::from_be_bytes(chance) % (longest / 2)
}

fn doubled(first: u32, times: u32, most: u32) -> u32 {
    let doubled = u64::from(first) << times.min(30);
    u32::try_from(doubled).unwrap_or(u32::MAX).min(most)
}

/// How the other side fares after this.
fn health(
    before: Health,
    patience: Patience,
    taken: &Taken,
    attempt: &Attempt,
    retry_after_s: Option<u32>,
    now: Timestamp,
) -> Health {
    if attempt.is_success() {
        return Health::default();
    }
    if taken.event.is_none() || is_refusal(attempt) {
        // It says nothing about how the other side fares: a probe found nothing out, and another one may.
        let paused_until = before.paused_until.filter(|_| !taken.is_probe);
        return Health { paused_until, ..before };
    }
    let is_paused = before.paused_until.is_some_and(|until| until > now);
    let is_open = before.failures >= OPEN_AFTER;
    // What was under way when the pause began tells nothing new.
    if is_open && is_paused && !taken.is_probe {
        return before;
    }
    let failures = before.failures.saturating_add(1);
    let wished_ms = retry_after_s.map_or(0, |seconds| seconds.saturating_mul(1_000).min(PAUSE_MAX_MS));
    let first_ms = patience.retry_first_ms.saturating_mul(PAUSE_FACTOR);
    let pause_ms = match failures.checked_sub(OPEN_AFTER) {
        Some(times) => doubled(first_ms, times, PAUSE_MAX_MS),
        None => 0,
    };
    let pause_ms = pause_ms.max(wished_ms);
    // A probe paused it for as long as it might take.
    let kept = before.paused_until.filter(|_| !taken.is_probe);
    let paused_until = (pause_ms > 0).then(|| now.plus_millis(pause_ms)).max(kept);
    Health { failures, paused_until }
}

/// Whether the other side is well and wants no such thing: it may want others. 429 says that it has too much to do.
fn is_refusal(attempt: &Attempt) -> bool {
    attempt.status.is_some_and(|status| status < 500 && status != TOO_MANY_REQUESTS)
}

/// Disables an active webhook that the server itself may no longer deliver to.
pub(super) async fn disable(
    services: &Services,
    tx: &mut dyn WriteTx,
    webhook: Webhook,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<()> {
    if webhook.status == WebhookStatus::Disabled {
        return Ok(());
    }
    let id = webhook.id;
    tx.update_webhook(&disabled(webhook, reason, now)).await?;
    record_system(services, tx, id, Happened::WebhookDisabled { webhook_id: id, reason });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Patience, doubled, health, retry_pause_ms};
    use crate::id::{DeliveryId, EventId, WebhookId};
    use crate::ports::Random;
    use crate::time::Timestamp;
    use crate::webhooks::{Attempt, DueDelivery, Health, Taken, WebhookUrl};
    use uuid::Uuid;

    const PATIENCE: Patience = Patience { retry_first_ms: 5_000, retry_for_s: 86_400, timeout_s: 10 };

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_vary() {
        for (attempts, longest_s) in [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (11, 3_600), (u32::MAX, 3_600)] {
            assert_eq!(retry_pause_ms(&Fixed(0), PATIENCE, attempts), longest_s * 1_000, "{attempts}");
            for chance in 1..=u8::MAX {
                let pause = retry_pause_ms(&Fixed(chance), PATIENCE, attempts);
                assert!((longest_s * 500..=longest_s * 1_000).contains(&pause), "{attempts}: {pause}");
            }
        }
        assert_eq!(doubled(u32::MAX, 40, 7), 7);
    }

    fn after(before: Health, is_probe: bool, error: Option<&str>, retry_after_s: Option<u32>) -> Health {
        after_answer(before, is_probe, None, error, retry_after_s)
    }

    fn after_answer(
        before: Health,
        is_probe: bool,
        status: Option<u16>,
        error: Option<&str>,
        retry_after_s: Option<u32>,
    ) -> Health {
        let taken = Taken {
            webhook: WebhookId::from_uuid(Uuid::nil()),
            due: DueDelivery {
                id: DeliveryId::from_uuid(Uuid::nil()),
                event_position: 1,
                event: EventId::from_uuid(Uuid::nil()),
                subject: String::new(),
                attempts: 1,
                leased_until: second(160),
            },
            is_probe,
            url: WebhookUrl::from_stored(String::new()),
            secrets: Vec::new(),
            event: Some(event()),
        };
        let error = error.map(str::to_owned);
        let attempt = Attempt { at: second(100), status, latency_ms: 1, answer: String::new(), error };
        health(before, PATIENCE, &taken, &attempt, retry_after_s, second(100))
    }

    fn event() -> crate::events::Event {
        crate::events::Event {
            position: 1,
            id: EventId::from_uuid(Uuid::nil()),
            kind: String::new(),
            about: crate::events::About::default(),
            actor: crate::events::EventActor::SYSTEM,
            address: None,
            user_agent: None,
            occurred_at: second(0),
            data: crate::value::Object::new(),
            hash: [0; 32],
            form: crate::events::RecordForm::Whole,
            erased: crate::events::Erased::default(),
        }
    }

    fn second(second: u32) -> Timestamp {
        Timestamp::from_micros(0).plus_seconds(second)
    }

    fn paused(failures: u32, until: u32) -> Health {
        Health { failures, paused_until: Some(second(until)) }
    }

    #[test]
    fn the_circuit_opens_stays_open_longer_and_closes() {
        let failing = |failures| Health { failures, paused_until: None };
        assert_eq!(after(failing(0), false, Some("timeout"), None), failing(1));
        assert_eq!(after(failing(4), false, Some("timeout"), None), paused(5, 130));
        assert_eq!(after(paused(5, 130), false, Some("timeout"), None), paused(5, 130), "under way already");
        assert_eq!(after(paused(5, 160), true, Some("timeout"), None), paused(6, 160));
        assert_eq!(after(paused(5, 999), true, Some("timeout"), None), paused(6, 160), "the time of the probe is over");
        assert_eq!(after(paused(30, 999), true, Some("timeout"), None), paused(31, 700));
        assert_eq!(after(paused(7, 999), true, None, None), Health::default());
    }

    #[test]
    fn who_refuses_one_thing_is_asked_the_others() {
        let refused =
            |before, is_probe, status| after_answer(before, is_probe, Some(status), Some("http_status"), None);
        let failing = Health { failures: 4, paused_until: None };
        for status in [302, 400, 404, 422] {
            assert_eq!(refused(failing, false, status), failing, "{status}");
            assert_eq!(refused(paused(5, 130), false, status), paused(5, 130), "{status}");
            let open = Health { failures: 5, paused_until: None };
            assert_eq!(refused(paused(5, 160), true, status), open, "{status}: the next one finds out");
        }
        for status in [429, 500, 503] {
            assert_eq!(refused(failing, false, status), paused(5, 130), "{status}");
        }
    }

    #[test]
    fn a_wish_to_wait_is_heard_within_bounds() {
        assert_eq!(after(Health::default(), false, Some("http_status"), Some(7)), paused(1, 107));
        assert_eq!(after(Health::default(), false, Some("http_status"), Some(u32::MAX)), paused(1, 700));
        assert_eq!(after(paused(1, 120), false, Some("http_status"), Some(7)), paused(2, 120));
    }
}
