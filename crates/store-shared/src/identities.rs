//! Identities at outside providers.

use async_trait::async_trait;
use denizen_domain::id::{IdentityId, UserId};
use denizen_domain::identities::store::{IdentityReads, IdentityWrites};
use denizen_domain::identities::{IDENTITIES_MAX, Identity};
use denizen_domain::providers::ProviderName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::sql::{execute, fetch_all, fetch_optional, row};
use crate::tx::Tx;

#[async_trait]
impl IdentityReads for Tx {
    async fn find_identity(&mut self, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
        let row = fetch_optional!(self, IdentityRow, "queries/find_identity.sql", issuer, subject)?;
        Ok(row.map(Identity::from))
    }

    async fn list_identities(&mut self, user: UserId) -> Result<Vec<Identity>, StoreError> {
        let limit = i64::try_from(IDENTITIES_MAX).unwrap_or(i64::MAX);
        let rows = fetch_all!(self, IdentityRow, "queries/list_identities.sql", user.as_uuid(), limit)?;
        Ok(rows.into_iter().map(Identity::from).collect())
    }
}

#[async_trait]
impl IdentityWrites for Tx {
    async fn insert_identity(&mut self, identity: &Identity) -> Result<bool, StoreError> {
        let inserted = execute!(
            self,
            "../store-shared/queries/insert_identity.sql",
            identity.id.as_uuid(),
            identity.user_id.as_uuid(),
            identity.provider.as_str(),
            identity.issuer.as_str(),
            identity.subject.as_str(),
            identity.email.as_deref(),
            identity.created_at.as_micros(),
            identity.last_used_at.as_micros()
        )?;
        Ok(inserted == 1)
    }

    async fn update_identity(&mut self, identity: &Identity) -> Result<bool, StoreError> {
        let (id, at) = (identity.id.as_uuid(), identity.last_used_at.as_micros());
        let (provider, email) = (identity.provider.as_str(), identity.email.as_deref());
        Ok(execute!(self, "../store-shared/queries/update_identity.sql", id, provider, email, at)? == 1)
    }

    async fn remove_identity(&mut self, user: UserId, id: IdentityId) -> Result<bool, StoreError> {
        let (id, user) = (id.as_uuid(), user.as_uuid());
        Ok(execute!(self, "../store-shared/queries/remove_identity.sql", id, user)? == 1)
    }
}

row! {
    /// A row of `identities`.
    struct IdentityRow {
        id: Uuid,
        user_id: Uuid,
        provider: String,
        issuer: String,
        subject: String,
        email: Option<String>,
        created_at: i64,
        last_used_at: i64,
    }
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        Self {
            id: IdentityId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            provider: ProviderName::from_stored(row.provider),
            issuer: row.issuer,
            subject: row.subject,
            email: row.email,
            created_at: Timestamp::from_micros(row.created_at),
            last_used_at: Timestamp::from_micros(row.last_used_at),
        }
    }
}
