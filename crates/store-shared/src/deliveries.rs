//! Deliveries to webhooks.

use async_trait::async_trait;
use denizen_domain::id::{DeliveryId, EventId, WebhookId};
use denizen_domain::page::Page;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::store::{DeliveryWrites, Outcome};
use denizen_domain::webhooks::{Attempt, Delivery, DeliveryState, DueDelivery, NewDelivery};
use uuid::Uuid;

use crate::codec::{Count, count, text_list};
use crate::error::broken;
use crate::shared::page::Window;
use crate::sql::{
    execute, execute_bulk, fetch_all, fetch_all_scalars, fetch_optional, fetch_optional_scalar, fetch_scalar, row,
};
use crate::tx::Tx;

/// How many rows are written by one statement.
const ROWS_AT_ONCE_MAX: usize = 1_000;

impl Tx {
    pub(crate) async fn delivery(
        &mut self,
        webhook: WebhookId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, StoreError> {
        let row = fetch_optional!(self, DeliveryRow, "queries/find_delivery.sql", webhook.as_uuid(), id.as_uuid())?;
        row.map(Delivery::try_from).transpose()
    }

    pub(crate) async fn deliveries(
        &mut self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let webhook = webhook.as_uuid();
        let rows = if let Some(state) = state.map(DeliveryState::as_str) {
            fetch_all!(self, DeliveryRow, "queries/list_deliveries_by_state.sql", at, id, limit, offset, webhook, state)
        } else {
            fetch_all!(self, DeliveryRow, "queries/list_deliveries.sql", at, id, limit, offset, webhook)
        };
        rows?.into_iter().map(Delivery::try_from).collect()
    }
}

#[async_trait]
impl DeliveryWrites for Tx {
    async fn lock_webhook_cursor(&mut self) -> Result<Option<i64>, StoreError> {
        fetch_optional_scalar!(self, i64, "queries/try_webhook_cursor.sql")
    }

    async fn wait_for_webhook_cursor(&mut self) -> Result<i64, StoreError> {
        fetch_scalar!(self, i64, "queries/wait_for_webhook_cursor.sql")
    }

    async fn move_webhook_cursor(&mut self, position: i64) -> Result<(), StoreError> {
        execute!(self, "../store-shared/queries/move_webhook_cursor.sql", position).map(drop)
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
            execute!(self, "queries/insert_deliveries.sql", rows, now, gives_up_at)?;
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
        let mut rows = fetch_all!(self, DueRow, "queries/take_due_deliveries.sql", webhook, now, until, limit)?;
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
        let state = fetch_optional_scalar!(
            self,
            String,
            "../store-shared/queries/settle_delivery.sql",
            taken.id.as_uuid(),
            taken.leased_until.as_micros(),
            outcome.state.as_str(),
            outcome.due_at.map(Timestamp::as_micros),
            attempt.at.as_micros(),
            attempt.status.map(|status| count(status.into())),
            count(attempt.latency_ms),
            attempt.answer.as_str(),
            attempt.error.as_deref()
        )?;
        state.map(|state| parse_state(&state)).transpose()
    }

    async fn release_deliveries(
        &mut self,
        webhook: WebhookId,
        subjects: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (webhook, subjects, now) = (webhook.as_uuid(), text_list(subjects)?, now.as_micros());
        execute!(self, "queries/release_deliveries.sql", webhook, subjects, now).map(drop)
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
        fetch_all_scalars!(
            self,
            String,
            "queries/put_back_deliveries.sql",
            webhook.as_uuid(),
            state.as_str(),
            from.as_micros(),
            to.as_micros(),
            before.as_micros(),
            gives_up_at.as_micros(),
            i64::from(limit)
        )
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
        fetch_optional_scalar!(self, String, "queries/put_back_delivery.sql", webhook, id, now, gives_up_at)
    }

    async fn park_overdue_deliveries(
        &mut self,
        webhook: WebhookId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (webhook, now, limit) = (webhook.as_uuid(), now.as_micros(), i64::from(limit));
        fetch_all_scalars!(self, String, "queries/park_overdue_deliveries.sql", webhook, now, limit)
    }

    async fn hasten_deliveries(
        &mut self,
        now: Timestamp,
        latest: Timestamp,
        paused_until: Timestamp,
    ) -> Result<(), StoreError> {
        let (now, latest, until) = (now.as_micros(), latest.as_micros(), paused_until.as_micros());
        execute!(self, "queries/hasten_deliveries.sql", now, latest)?;
        execute!(self, "../store-shared/queries/shorten_pauses.sql", now, until).map(drop)
    }

    async fn remove_deliveries_to(&mut self, webhook: WebhookId, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/remove_deliveries_to.sql", webhook.as_uuid(), i64::from(limit))
    }

    async fn remove_deliveries(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/remove_deliveries.sql", before.as_micros(), i64::from(limit))
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

row! {
    /// What a delivery that was taken is known by.
    struct DueRow {
        id: Uuid,
        event_position: i64,
        event_id: Uuid,
        subject: String,
        attempts: Count,
    }
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

row! {
    /// A row of `deliveries`.
    struct DeliveryRow {
        id: Uuid,
        webhook_id: Uuid,
        event_position: i64,
        event_id: Uuid,
        kind: String,
        subject: String,
        state: String,
        attempts: Count,
        due_at: Option<i64>,
        created_at: i64,
        last_attempt_at: Option<i64>,
        last_status: Option<Count>,
        last_latency_ms: Option<Count>,
        last_answer: Option<String>,
        last_error: Option<String>,
    }
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
