//! Webhooks in PostgreSQL.

use async_trait::async_trait;
use denizen_domain::access::Subject;
use denizen_domain::id::{DeliveryId, ServiceAccountId, UserId, WebhookId};
use denizen_domain::page::Page;
use denizen_domain::roles::Description;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::webhooks::store::{SealedSecrets, WebhookReads, WebhookWrites};
use denizen_domain::webhooks::{
    Creator, Delivery, DeliveryState, DisabledReason, EventTypes, Health, Webhook, WebhookStatus, WebhookUrl,
};
use sqlx::{query, query_file, query_file_as, query_file_scalar, query_scalar};
use uuid::Uuid;

use crate::codec::Window;
use crate::error::{broken, store_error};
use crate::tx::PostgresTx;

#[async_trait]
impl WebhookReads for PostgresTx {
    async fn find_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let id = id.as_uuid();
        let query = query_file_as!(WebhookRow, "queries/find_webhook.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(Webhook::try_from).transpose()
    }

    async fn find_webhook_secrets(&mut self, id: WebhookId) -> Result<Option<SealedSecrets>, StoreError> {
        let id = id.as_uuid();
        let query =
            query!("SELECT sealed_secret, sealed_previous_secret, previous_until FROM webhooks WHERE id = $1", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.map(|row| SealedSecrets {
            current: row.sealed_secret,
            previous: row.sealed_previous_secret.zip(row.previous_until.map(Timestamp::from_micros)),
        }))
    }

    async fn list_webhooks(&mut self, page: Page) -> Result<Vec<Webhook>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = Window::new(page);
        let query = query_file_as!(WebhookRow, "queries/list_webhooks.sql", at, id, limit, offset);
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    async fn count_webhooks(&mut self) -> Result<u64, StoreError> {
        let query = query_file_scalar!("queries/count_webhooks.sql");
        let count = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        Ok(count.cast_unsigned())
    }

    async fn webhook_cursor(&mut self) -> Result<i64, StoreError> {
        let query = query_scalar!("SELECT position FROM webhook_cursor");
        query.fetch_one(self.connection().await?).await.map_err(store_error)
    }

    async fn due_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        let now = now.as_micros();
        let query = query_file_scalar!("queries/list_due_webhooks.sql", now);
        let ids = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(ids.into_iter().map(WebhookId::from_uuid).collect())
    }

    async fn overdue_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>, StoreError> {
        let now = now.as_micros();
        let query = query_file_scalar!("queries/list_overdue_webhooks.sql", now);
        let ids = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
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

    async fn count_deliveries(&mut self, webhook: WebhookId, state: Option<DeliveryState>) -> Result<u64, StoreError> {
        let webhook = webhook.as_uuid();
        let connection = self.connection().await?;
        let count = match state.map(DeliveryState::as_str) {
            Some(state) => {
                query_file_scalar!("queries/count_deliveries_by_state.sql", webhook, state).fetch_one(connection).await
            }
            None => query_file_scalar!("queries/count_deliveries.sql", webhook).fetch_one(connection).await,
        };
        Ok(count.map_err(store_error)?.cast_unsigned())
    }
}

#[async_trait]
impl WebhookWrites for PostgresTx {
    async fn insert_webhook(&mut self, webhook: &Webhook, secrets: &SealedSecrets) -> Result<(), StoreError> {
        let (id, url, description) = (webhook.id.as_uuid(), webhook.url.as_str(), webhook.description.as_str());
        let (types, status) = (webhook.types.to_stored(), webhook.status.as_str());
        let (current, previous) = (secrets.current.as_slice(), secrets.previous.as_ref());
        let previous_until = previous.map(|(_, until)| until.as_micros());
        let previous = previous.map(|(sealed, _)| sealed.as_slice());
        let (failures, paused_until) = health(webhook.health);
        let (created_by_kind, created_by_id) = creator(webhook.created_by);
        let disabled_reason = webhook.disabled_reason.map(DisabledReason::as_str);
        let (created_at, updated_at) = (webhook.created_at.as_micros(), webhook.updated_at.as_micros());
        let query = query_file!(
            "queries/insert_webhook.sql",
            id,
            url,
            description,
            types,
            status,
            webhook.since,
            current,
            previous,
            previous_until,
            failures,
            paused_until,
            created_by_kind,
            created_by_id,
            disabled_reason,
            created_at,
            updated_at,
            webhook.version
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn lock_webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let id = id.as_uuid();
        let query = query_file_as!(WebhookRow, "queries/lock_webhook.sql", id);
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        row.map(Webhook::try_from).transpose()
    }

    async fn lock_webhooks(&mut self) -> Result<Vec<Webhook>, StoreError> {
        let query = query_file_as!(WebhookRow, "queries/lock_webhooks.sql");
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        rows.into_iter().map(Webhook::try_from).collect()
    }

    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError> {
        let (id, url, description) = (webhook.id.as_uuid(), webhook.url.as_str(), webhook.description.as_str());
        let (types, status) = (webhook.types.to_stored(), webhook.status.as_str());
        let (failures, paused_until) = health(webhook.health);
        let (created_by_kind, created_by_id) = creator(webhook.created_by);
        let disabled_reason = webhook.disabled_reason.map(DisabledReason::as_str);
        let updated_at = webhook.updated_at.as_micros();
        let query = query_file!(
            "queries/update_webhook.sql",
            id,
            url,
            description,
            types,
            status,
            webhook.since,
            failures,
            paused_until,
            updated_at,
            webhook.version,
            created_by_kind,
            created_by_id,
            disabled_reason
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(store_error(sqlx::Error::RowNotFound)) }
    }

    async fn set_webhook_secrets(&mut self, id: WebhookId, secrets: &SealedSecrets) -> Result<(), StoreError> {
        let (id, current, previous) = (id.as_uuid(), secrets.current.as_slice(), secrets.previous.as_ref());
        let previous_until = previous.map(|(_, until)| until.as_micros());
        let previous = previous.map(|(sealed, _)| sealed.as_slice());
        let query = query!(
            "UPDATE webhooks SET sealed_secret = $2, sealed_previous_secret = $3, previous_until = $4 WHERE id = $1",
            id,
            current,
            previous,
            previous_until
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn set_webhook_health(&mut self, id: WebhookId, now: Health) -> Result<(), StoreError> {
        let (id, (failures, paused_until)) = (id.as_uuid(), health(now));
        let query =
            query!("UPDATE webhooks SET failures = $2, paused_until = $3 WHERE id = $1", id, failures, paused_until);
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn claim_probe(&mut self, id: WebhookId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let (id, now, until) = (id.as_uuid(), now.as_micros(), until.as_micros());
        let query = query!(
            "UPDATE webhooks SET paused_until = $3 WHERE id = $1 AND COALESCE(paused_until, 0) <= $2",
            id,
            now,
            until
        );
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool, StoreError> {
        let id = id.as_uuid();
        let query = query!("DELETE FROM webhooks WHERE id = $1", id);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
}

fn health(health: Health) -> (i32, Option<i64>) {
    (i32::try_from(health.failures).unwrap_or(i32::MAX), health.paused_until.map(Timestamp::as_micros))
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

/// A row of `webhooks`, less its secrets.
struct WebhookRow {
    id: Uuid,
    url: String,
    description: String,
    types: String,
    status: String,
    since_position: i64,
    failures: i32,
    paused_until: Option<i64>,
    created_by_kind: Option<String>,
    created_by_id: Option<Uuid>,
    disabled_reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    version: i64,
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
