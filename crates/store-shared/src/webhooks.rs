//! Webhooks.

use async_trait::async_trait;
use denizen_domain::access::Subject;
use denizen_domain::id::{DeliveryId, ServiceAccountId, UserId, WebhookId};
use denizen_domain::page::{self, Page};
use denizen_domain::roles::Description;
use denizen_domain::store::{Backlog, StoreError};
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::store::{SealedSecrets, WebhookReads, WebhookWrites};
use denizen_domain::webhooks::{
    Creator, Delivery, DeliveryState, DisabledReason, EventTypes, Health, Webhook, WebhookStatus, WebhookUrl,
};
use uuid::Uuid;

use crate::codec::{Count, count};
use crate::error::broken;
use crate::shared::backlog::BacklogRow;
use crate::shared::page::{Window, count_limit};
use crate::shared::values::require_row;
use crate::sql::{execute, fetch_all, fetch_all_scalars, fetch_one, fetch_optional, fetch_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl WebhookReads for Tx {
    async fn find_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let row = fetch_optional!(self, WebhookRow, "../store-shared/queries/find_webhook.sql", id.as_uuid())?;
        row.map(Webhook::try_from).transpose()
    }

    async fn find_webhook_secrets(&mut self, id: WebhookId) -> Result<Option<SealedSecrets>, StoreError> {
        let row = fetch_optional!(self, SecretsRow, "../store-shared/queries/find_webhook_secrets.sql", id.as_uuid())?;
        Ok(row.map(|row| SealedSecrets {
            current: row.sealed_secret,
            previous: row.sealed_previous_secret.zip(row.previous_until.map(Timestamp::from_micros)),
        }))
    }

    async fn list_webhooks(&mut self, page: Page) -> Result<Vec<Webhook>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = page.into();
        let rows = fetch_all!(self, WebhookRow, "queries/list_webhooks.sql", at, id, limit, offset)?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    async fn count_webhooks(&mut self) -> Result<u64, StoreError> {
        let count = fetch_scalar!(self, i64, "../store-shared/queries/count_webhooks.sql")?;
        Ok(count.cast_unsigned())
    }

    async fn webhook_cursor(&mut self) -> Result<i64, StoreError> {
        fetch_scalar!(self, i64, "../store-shared/queries/webhook_cursor.sql")
    }

    async fn delivery_backlog(&mut self, now: Timestamp) -> Result<Backlog, StoreError> {
        let (now, limit) = (now.as_micros(), i64::from(Backlog::COUNT_MAX));
        Ok(fetch_one!(self, BacklogRow, "queries/delivery_backlog.sql", now, limit)?.backlog())
    }

    async fn due_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        let ids = fetch_all_scalars!(self, Uuid, "queries/list_due_webhooks.sql", now.as_micros())?;
        Ok(ids.into_iter().map(WebhookId::from_uuid).collect())
    }

    async fn overdue_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        let ids = fetch_all_scalars!(self, Uuid, "queries/list_overdue_webhooks.sql", now.as_micros())?;
        Ok(ids.into_iter().map(WebhookId::from_uuid).collect())
    }

    async fn find_delivery(&mut self, webhook: WebhookId, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.delivery(webhook, id).await
    }

    async fn list_deliveries(
        &mut self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.deliveries(webhook, state, page).await
    }

    async fn count_deliveries(
        &mut self,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        max: u64,
    ) -> Result<page::Count, StoreError> {
        let (webhook, limit) = (webhook.as_uuid(), count_limit(max));
        let counted = if let Some(state) = state.map(DeliveryState::as_str) {
            fetch_scalar!(self, i64, "queries/count_deliveries_by_state.sql", limit, webhook, state)
        } else {
            fetch_scalar!(self, i64, "queries/count_deliveries.sql", limit, webhook)
        };
        Ok(page::Count::up_to(max, counted?.cast_unsigned()))
    }
}

#[async_trait]
impl WebhookWrites for Tx {
    async fn insert_webhook(&mut self, webhook: &Webhook, secrets: &SealedSecrets) -> Result<(), StoreError> {
        let previous = secrets.previous.as_ref();
        let (created_by_kind, created_by_id) = creator(webhook.created_by);
        execute!(
            self,
            "../store-shared/queries/insert_webhook.sql",
            webhook.id.as_uuid(),
            webhook.url.as_str(),
            webhook.description.as_str(),
            webhook.types.to_stored(),
            webhook.status.as_str(),
            webhook.since,
            secrets.current.as_slice(),
            previous.map(|(sealed, _)| sealed.as_slice()),
            previous.map(|(_, until)| until.as_micros()),
            count(webhook.health.failures),
            webhook.health.paused_until.map(Timestamp::as_micros),
            created_by_kind,
            created_by_id,
            webhook.disabled_reason.map(DisabledReason::as_str),
            webhook.created_at.as_micros(),
            webhook.updated_at.as_micros(),
            webhook.version
        )
        .map(drop)
    }

    async fn lock_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let row = fetch_optional!(self, WebhookRow, "queries/lock_webhook.sql", id.as_uuid())?;
        row.map(Webhook::try_from).transpose()
    }

    async fn lock_webhooks(&mut self) -> Result<Vec<Webhook>, StoreError> {
        let rows = fetch_all!(self, WebhookRow, "queries/lock_webhooks.sql")?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError> {
        let (created_by_kind, created_by_id) = creator(webhook.created_by);
        let updated = execute!(
            self,
            "../store-shared/queries/update_webhook.sql",
            webhook.id.as_uuid(),
            webhook.url.as_str(),
            webhook.description.as_str(),
            webhook.types.to_stored(),
            webhook.status.as_str(),
            webhook.since,
            count(webhook.health.failures),
            webhook.health.paused_until.map(Timestamp::as_micros),
            webhook.updated_at.as_micros(),
            webhook.version,
            created_by_kind,
            created_by_id,
            webhook.disabled_reason.map(DisabledReason::as_str)
        )?;
        require_row(updated)
    }

    async fn set_webhook_secrets(&mut self, id: WebhookId, secrets: &SealedSecrets) -> Result<(), StoreError> {
        let previous = secrets.previous.as_ref();
        execute!(
            self,
            "../store-shared/queries/set_webhook_secrets.sql",
            id.as_uuid(),
            secrets.current.as_slice(),
            previous.map(|(sealed, _)| sealed.as_slice()),
            previous.map(|(_, until)| until.as_micros())
        )
        .map(drop)
    }

    async fn set_webhook_health(&mut self, id: WebhookId, now: Health) -> Result<(), StoreError> {
        let (failures, paused_until) = (count(now.failures), now.paused_until.map(Timestamp::as_micros));
        execute!(self, "../store-shared/queries/set_webhook_health.sql", id.as_uuid(), failures, paused_until).map(drop)
    }

    async fn claim_probe(&mut self, id: WebhookId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let (id, now, until) = (id.as_uuid(), now.as_micros(), until.as_micros());
        Ok(execute!(self, "../store-shared/queries/claim_probe.sql", id, now, until)? == 1)
    }

    async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/delete_webhook.sql", id.as_uuid())? == 1)
    }
}

/// A creator as its columns.
fn creator(creator: Option<Creator>) -> (Option<&'static str>, Option<Uuid>) {
    let id = match creator {
        Some(Creator::Account(Subject::User(id))) => Some(id.as_uuid()),
        Some(Creator::Account(Subject::ServiceAccount(id))) => Some(id.as_uuid()),
        Some(Creator::Operator) | None => None,
    };
    (creator.map(Creator::kind), id)
}

/// The creator of a row; unknown when another release wrote a kind that this one does not know.
fn creator_of(kind: Option<&str>, id: Option<Uuid>) -> Option<Creator> {
    match (kind?, id) {
        ("user", Some(id)) => Some(Creator::Account(Subject::User(UserId::from_uuid(id)))),
        ("service_account", Some(id)) => {
            Some(Creator::Account(Subject::ServiceAccount(ServiceAccountId::from_uuid(id))))
        }
        ("operator", None) => Some(Creator::Operator),
        _ => None,
    }
}

row! {
    /// A row of `queries/find_webhook_secrets.sql`.
    struct SecretsRow {
        sealed_secret: Vec<u8>,
        sealed_previous_secret: Option<Vec<u8>>,
        previous_until: Option<i64>,
    }
}

row! {
    /// A row of `webhooks`, less its secrets.
    struct WebhookRow {
        id: Uuid,
        url: String,
        description: String,
        types: String,
        status: String,
        since_position: i64,
        failures: Count,
        paused_until: Option<i64>,
        created_by_kind: Option<String>,
        created_by_id: Option<Uuid>,
        disabled_reason: Option<String>,
        created_at: i64,
        updated_at: i64,
        version: i64,
    }
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = StoreError;

    fn try_from(row: WebhookRow) -> Result<Self, StoreError> {
        let unknown = || broken(format!("the stored status of a webhook {:?} is unknown", row.status));
        Ok(Self {
            id: WebhookId::from_uuid(row.id),
            status: WebhookStatus::parse(&row.status).ok_or_else(unknown)?,
            url: WebhookUrl::from_stored(row.url),
            description: Description::from_stored(row.description),
            types: EventTypes::from_stored(&row.types),
            since: row.since_position,
            disabled_reason: row.disabled_reason.as_deref().and_then(DisabledReason::parse),
            created_by: creator_of(row.created_by_kind.as_deref(), row.created_by_id),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
            version: row.version,
            health: Health {
                failures: u32::try_from(row.failures).unwrap_or_default(),
                paused_until: row.paused_until.map(Timestamp::from_micros),
            },
        })
    }
}
