//! What webhooks need of a store.

use async_trait::async_trait;

use super::{Attempt, Delivery, DeliveryState, DueDelivery, Health, NewDelivery, Webhook};
use crate::id::{DeliveryId, WebhookId};
use crate::page::{Count, Page};
use crate::store::{Backlog, StoreError};
use crate::time::Timestamp;

/// What a webhook's requests are signed with, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The one of now.
    pub current: Vec<u8>,
    /// The one before, and until when requests are signed with it as well.
    pub previous: Option<(Vec<u8>, Timestamp)>,
}

/// What has become of a delivery that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Its state.
    pub state: DeliveryState,
    /// When it is tried again, if it is pending.
    pub due_at: Option<Timestamp>,
}

/// Reading webhooks and deliveries.
#[async_trait]
pub trait WebhookReads {
    /// The webhook with this id.
    async fn find_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// What its requests are signed with.
    async fn find_webhook_secrets(&mut self, id: WebhookId) -> Result<Option<SealedSecrets>, StoreError>;

    /// The webhooks of one page, newest first.
    async fn list_webhooks(&mut self, page: Page) -> Result<Vec<Webhook>, StoreError>;

    /// How many webhooks there are.
    async fn count_webhooks(&mut self) -> Result<u64, StoreError>;

    /// How far the log was fanned out.
    async fn webhook_cursor(&mut self) -> Result<i64, StoreError>;

    /// The deliveries to active webhooks that are due.
    async fn delivery_backlog(&mut self, now: Timestamp) -> Result<Backlog, StoreError>;

    /// The active webhooks that are not paused and have a delivery that is due.
    async fn due_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError>;

    /// The webhooks that have a pending delivery past its time.
    async fn overdue_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError>;

    /// A delivery to this webhook.
    async fn find_delivery(&mut self, webhook: WebhookId, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// The deliveries of one page, newest first; of one state, if that is asked for.
    async fn list_deliveries(
        &mut self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// How many deliveries there are, [counted](Count::up_to) up to `max`.
    async fn count_deliveries(
        &mut self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        max: u64,
    ) -> Result<Count, StoreError>;
}

/// Writing webhooks.
#[async_trait]
pub trait WebhookWrites {
    /// Adds a webhook.
    async fn insert_webhook(&mut self, webhook: &Webhook, secrets: &SealedSecrets) -> Result<(), StoreError>;

    /// The webhook, held against other writers until the transaction ends.
    async fn lock_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// All webhooks, each held so.
    async fn lock_webhooks(&mut self) -> Result<Vec<Webhook>, StoreError>;

    /// Replaces a [locked](Self::lock_webhook) webhook, its health included.
    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError>;

    /// Replaces the secrets of a locked webhook.
    async fn set_webhook_secrets(&mut self, id: WebhookId, secrets: &SealedSecrets) -> Result<(), StoreError>;

    /// Replaces the health of a locked webhook. That is no change of it.
    async fn set_webhook_health(&mut self, id: WebhookId, health: Health) -> Result<(), StoreError>;

    /// Pauses a webhook that is not paused; `false` when it is. By one statement: of several who ask one is told `true`.
    async fn claim_probe(&mut self, id: WebhookId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Removes a webhook and its deliveries; `false` when there is none.
    async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool, StoreError>;
}

/// Writing deliveries. Whoever adds or ends some holds their webhook: it decides who is next.
#[async_trait]
pub trait DeliveryWrites {
    /// How far the log was fanned out, held until the transaction ends; `None` when somebody else holds it.
    async fn lock_webhook_cursor(&mut self) -> Result<Option<i64>, StoreError>;

    /// The same, after waiting for whoever holds it. Comes before any webhook is locked.
    async fn wait_for_webhook_cursor(&mut self) -> Result<i64, StoreError>;

    /// Notes how far the log was fanned out.
    async fn move_webhook_cursor(&mut self, position: i64) -> Result<(), StoreError>;

    /// Adds deliveries, in the order of the log. Due is the first of each subject, unless one is pending already. One to
    /// the same webhook about the same event is not added again.
    async fn insert_deliveries(
        &mut self,
        deliveries: &[NewDelivery],
        now: Timestamp,
        gives_up_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Takes at most so many deliveries to a webhook that are due, those that have been due longest, and counts an attempt
    /// for each. By one statement: what is taken is not due for others before `leased_until`.
    async fn take_due_deliveries(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        leased_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueDelivery>, StoreError>;

    /// Notes what came of an attempt, if nobody else took the delivery or put it back since, and answers its state; `None`
    /// otherwise. One that would be tried again after its time, which somebody may have put off meanwhile, is parked.
    async fn settle_delivery(
        &mut self,
        taken: &DueDelivery,
        outcome: &Outcome,
        attempt: &Attempt,
    ) -> Result<Option<DeliveryState>, StoreError>;

    /// Makes the first pending delivery of each of these subjects due, where none is.
    async fn release_deliveries(
        &mut self,
        webhook: WebhookId,
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Makes at most so many deliveries of this state, made within `(from, to)` and last tried before `before`, pending
    /// again, the oldest first; none is due yet. Answers their subjects, one for each.
    async fn put_back_deliveries(
        &mut self,
        webhook: WebhookId,
        state: DeliveryState,
        made: (Timestamp, Timestamp),
        before: Timestamp,
        gives_up_at: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Makes one delivery pending again; one that is and is not being made is due at once, if it was due at all. Answers
    /// its subject; `None` when there is none.
    async fn put_back_delivery(
        &mut self,
        webhook: WebhookId,
        id: DeliveryId,
        now: Timestamp,
        gives_up_at: Timestamp,
    ) -> Result<Option<String>, StoreError>;

    /// Parks at most so many pending deliveries that are past their time and not being made. Answers their subjects, one
    /// for each.
    async fn park_overdue_deliveries(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError>;

    /// Makes every pending delivery that is due after `latest` due now, and ends every pause that lasts beyond
    /// `paused_until`: nothing is put off so long, so the clock was set back since.
    async fn hasten_deliveries(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        paused_until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes at most so many deliveries to a webhook, whatever their state, and says how many.
    async fn remove_deliveries_to(&mut self, webhook: WebhookId, limit: u32) -> Result<u64, StoreError>;

    /// Removes at most so many deliveries that were made before a moment and are not pending, and says how many.
    async fn remove_deliveries(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
