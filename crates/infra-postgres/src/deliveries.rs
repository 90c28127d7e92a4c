//! Deliveries to webhooks in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::id::{DeliveryId, EventId, WebhookId};
use denizen_domain::page::Page;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::store::{DeliveryWrites, Outcome};
use denizen_domain::webhooks::{Attempt, Delivery, DeliveryState, DueDelivery, NewDelivery};
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::codec::Window;
use crate::error::{broken, store_error};
use crate::tx::PostgresTx;

/// How many rows are written by one statement.
const ROWS_AT_ONCE_MAX: usize = 1_000;

impl PostgresTx {
    pub(crate) async fn delivery(
        &mut self,
        webhook: WebhookId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, StoreError> {
        let (webhook, id) = (webhook.as_uuid(), id.as_uuid());
        let query = query_file_as!(DeliveryRow, "queries/find_delivery.sql", webhook, id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(Delivery::try_from).transpose()
    }

    pub(crate) async fn deliveries(
        &mut self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = Window::new(page);
        let webhook = webhook.as_uuid();
        macro_rules! list {
            ($file:literal $(, $more:expr)*) => {
                query_file_as!(DeliveryRow, $file, at, id, limit, offset, webhook $(, $more)*)
                    .fetch_all(self.connection().await?)
                    .await
                    .map_err(store_error)?
            };
        }
        let rows = match state.map(DeliveryState::as_str) {
            Some(state) => list!("queries/list_deliveries_by_state.sql", state),
            None => list!("queries/list_deliveries.sql"),
        };
        rows.into_iter().map(Delivery::try_from).collect()
    }
}

#[async_trait]
impl DeliveryWrites for PostgresTx {
    async fn lock_webhook_cursor(&mut self) -> Result<Option<i64>, StoreError> {
        let query = query_scalar!("SELECT position FROM webhook_cursor WHERE id = 1 FOR UPDATE SKIP LOCKED");
        query.fetch_optional(self.connection().await?).await.map_err(store_error)
    }

    async fn wait_for_webhook_cursor(&mut self) -> Result<i64, StoreError> {
        let query = query_scalar!("SELECT position FROM webhook_cursor WHERE id = 1 FOR UPDATE");
        query.fetch_one(self.connection().await?).await.map_err(store_error)
    }

    async fn move_webhook_cursor(&mut self, position: i64) -> Result<(), StoreError> {
        let query = query!("UPDATE webhook_cursor SET position = $1 WHERE id = 1", position);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn insert_deliveries(
        &mut self,
        deliveries: &[NewDelivery],
        now: Timestamp,
        gives_up_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (now, gives_up_at) = (now.as_micros(), gives_up_at.as_micros());
        for rows in deliveries.chunks(ROWS_AT_ONCE_MAX) {
            let rows: Vec<_> = rows.iter().map(columns).collect();
            let rows = serde_json::to_string(&rows).map_err(broken)?;
            let query = query_file!("queries/insert_deliveries.sql", rows, now, gives_up_at);
            query.execute(self.connection().await?).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn take_due_deliveries(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        leased_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let (webhook, limit) = (webhook.as_uuid(), i64::from(limit));
        let (now, until) = (now.as_micros(), leased_until.as_micros());
        let query = query_file_as!(DueRow, "queries/take_due_deliveries.sql", webhook, now, until, limit);
        let mut rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        // What a statement returns has no order.
        rows.sort_unstable_by_key(|row| row.event_position);
        Ok(rows.into_iter().map(|row| row.due(leased_until)).collect())
    }

    async fn settle_delivery(
        &mut self,
        taken: &DueDelivery,
        outcome: &Outcome,
        attempt: &Attempt,
    ) -> Result<Option<DeliveryState>, StoreError> {
        let (id, until) = (taken.id.as_uuid(), taken.leased_until.as_micros());
        let (state, due_at) = (outcome.state.as_str(), outcome.due_at.map(Timestamp::as_micros));
        let (at, status) = (attempt.at.as_micros(), attempt.status.map(i32::from));
        let latency_ms = i32::try_from(attempt.latency_ms).unwrap_or(i32::MAX);
        let (answer, error) = (attempt.answer.as_str(), attempt.error.as_deref());
        let query = query_file_scalar!(
            "queries/settle_delivery.sql",
            id,
            until,
            state,
            due_at,
            at,
            status,
            latency_ms,
            answer,
            error
        );
        let state = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        state.map(|state| parse_state(&state)).transpose()
    }

    async fn release_deliveries(
        &mut self,
        webhook: WebhookId,
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (webhook, now) = (webhook.as_uuid(), now.as_micros());
        let query = query_file!("queries/release_deliveries.sql", webhook, subjects, now);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn put_back_deliveries(
        &mut self,
        webhook: WebhookId,
        state: DeliveryState,
        (from, to): (Timestamp, Timestamp),
        before: Timestamp,
        gives_up_at: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (webhook, state, limit) = (webhook.as_uuid(), state.as_str(), i64::from(limit));
        let (from, to) = (from.as_micros(), to.as_micros());
        let (before, gives_up_at) = (before.as_micros(), gives_up_at.as_micros());
        let query =
            query_file_scalar!("queries/put_back_deliveries.sql", webhook, state, from, to, before, gives_up_at, limit);
        query.fetch_all(self.connection().await?).await.map_err(store_error)
    }

    async fn put_back_delivery(
        &mut self,
        webhook: WebhookId,
        id: DeliveryId,
        now: Timestamp,
        gives_up_at: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let (webhook, id) = (webhook.as_uuid(), id.as_uuid());
        let (now, gives_up_at) = (now.as_micros(), gives_up_at.as_micros());
        let query = query_file_scalar!("queries/put_back_delivery.sql", webhook, id, now, gives_up_at);
        query.fetch_optional(self.connection().await?).await.map_err(store_error)
    }

    async fn park_overdue_deliveries(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (webhook, now, limit) = (webhook.as_uuid(), now.as_micros(), i64::from(limit));
        let query = query_file_scalar!("queries/park_overdue_deliveries.sql", webhook, now, limit);
        query.fetch_all(self.connection().await?).await.map_err(store_error)
    }

    async fn hasten_deliveries(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        paused_until: Timestamp,
    ) -> Result<(), StoreError> {
        let (now, latest, until) = (now.as_micros(), latest.as_micros(), paused_until.as_micros());
        let query = query_file!("queries/hasten_deliveries.sql", now, latest);
        query.execute(self.connection().await?).await.map_err(store_error)?;
        let query = query!("UPDATE webhooks SET paused_until = $1 WHERE paused_until > $2", now, until);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn remove_deliveries_to(&mut self, webhook: WebhookId, limit: u32) -> Result<u64, StoreError> {
        let (webhook, limit) = (webhook.as_uuid(), i64::from(limit));
        let query = query_file!("queries/remove_deliveries_to.sql", webhook, limit);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    async fn remove_deliveries(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (before, limit) = (before.as_micros(), i64::from(limit));
        let query = query_file!("queries/remove_deliveries.sql", before, limit);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

type Columns<'a> = (String, String, i64, String, &'a str, &'a str, bool);

fn columns(new: &NewDelivery) -> Columns<'_> {
    let hexadecimal = |id: Uuid| id.simple().to_string();
    (
        hexadecimal(new.id.as_uuid()),
        hexadecimal(new.webhook.as_uuid()),
        new.event_position,
        hexadecimal(new.event.as_uuid()),
        &new.kind,
        &new.subject,
        new.is_first,
    )
}

/// What a delivery that was taken is known by.
struct DueRow {
    id: Uuid,
    event_position: i64,
    event_id: Uuid,
    subject: String,
    attempts: i32,
}

impl DueRow {
    fn due(self, leased_until: Timestamp) -> DueDelivery {
        DueDelivery {
            id: DeliveryId::from_uuid(self.id),
            event_position: self.event_position,
            event: EventId::from_uuid(self.event_id),
            subject: self.subject,
            attempts: u32::try_from(self.attempts).unwrap_or_default(),
            leased_until,
        }
    }
}

fn parse_state(stored: &str) -> Result<DeliveryState, StoreError> {
    let unknown = || broken(format!("the stored state of a delivery {stored:?} is unknown"));
    DeliveryState::parse(stored).ok_or_else(unknown)
}

/// A row of `deliveries`.
struct DeliveryRow {
    id: Uuid,
    webhook_id: Uuid,
    event_position: i64,
    event_id: Uuid,
    kind: String,
    subject: String,
    state: String,
    attempts: i32,
    due_at: Option<i64>,
    created_at: i64,
    last_attempt_at: Option<i64>,
    last_status: Option<i32>,
    last_latency_ms: Option<i32>,
    last_answer: Option<String>,
    last_error: Option<String>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let state = parse_state(&row.state)?;
        let last = row.last_attempt_at.map(|at| Attempt {
            at: Timestamp::from_micros(at),
            status: row.last_status.and_then(|status| u16::try_from(status).ok()),
            latency_ms: row.last_latency_ms.and_then(|ms| u32::try_from(ms).ok()).unwrap_or_default(),
            answer: row.last_answer.unwrap_or_default(),
            error: row.last_error,
        });
        Ok(Self {
            id: DeliveryId::from_uuid(row.id),
            webhook: WebhookId::from_uuid(row.webhook_id),
            event_position: row.event_position,
            event: EventId::from_uuid(row.event_id),
            kind: row.kind,
            subject: row.subject,
            state,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
            due_at: row.due_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            last,
        })
    }
}
