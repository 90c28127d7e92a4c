//! Identities at outside providers.

use async_trait::async_trait;
use denizen_domain::id::{IdentityId, UserId};
use denizen_domain::identities::store::{IdentityReads, IdentityWrites, StoredTokens, TokenLease};
use denizen_domain::identities::{IDENTITIES_MAX, Identity};
use denizen_domain::providers::ProviderName;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::shared::values::{ROWS_AT_ONCE_MAX, ids_json, rows_json};
use crate::sql::{execute, execute_bulk, fetch_all, fetch_all_scalars, fetch_optional, fetch_optional_scalar, row};
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

    async fn identities_of(&mut self, users: &[UserId]) -> Result<Vec<Identity>, StoreError> {
        let mut identities = Vec::new();
        for users in users.chunks(ROWS_AT_ONCE_MAX) {
            let ids = ids_json(users)?;
            let rows = fetch_all!(self, IdentityRow, "queries/identities_of.sql", ids)?;
            identities.extend(rows.into_iter().map(Identity::from));
        }
        identities.sort_by_key(|identity| (identity.created_at, identity.id.as_uuid()));
        Ok(identities)
    }

    async fn find_identity_tokens(&mut self, identity: IdentityId) -> Result<Option<StoredTokens>, StoreError> {
        let id = identity.as_uuid();
        let row = fetch_optional!(self, TokensRow, "../store-shared/queries/find_identity_tokens.sql", id)?;
        Ok(row.map(|row| StoredTokens {
            identity_id: identity,
            provider: ProviderName::from_stored(row.provider),
            sealed: row.sealed,
            revision: row.revision,
        }))
    }

    async fn next_token_provider(&mut self, after: &str) -> Result<Option<ProviderName>, StoreError> {
        let name = fetch_optional_scalar!(self, String, "../store-shared/queries/next_token_provider.sql", after)?;
        Ok(name.map(ProviderName::from_stored))
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

    async fn insert_identities(&mut self, identities: &[&Identity]) -> Result<Vec<IdentityId>, StoreError> {
        let mut inserted = Vec::with_capacity(identities.len());
        for identities in identities.chunks(ROWS_AT_ONCE_MAX) {
            let rows = identities.iter().map(|identity| {
                (
                    identity.id.as_uuid().simple().to_string(),
                    identity.user_id.as_uuid().simple().to_string(),
                    identity.provider.as_str(),
                    identity.issuer.as_str(),
                    identity.subject.as_str(),
                    identity.email.as_deref(),
                    identity.created_at.as_micros(),
                    identity.last_used_at.as_micros(),
                )
            });
            let rows = rows_json(&rows.collect::<Vec<_>>())?;
            let ids = fetch_all_scalars!(self, Uuid, "queries/insert_identities.sql", rows)?;
            inserted.extend(ids.into_iter().map(IdentityId::from_uuid));
        }
        Ok(inserted)
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

    async fn put_identity_tokens(&mut self, tokens: &StoredTokens) -> Result<(), StoreError> {
        let (id, provider, sealed) = (tokens.identity_id.as_uuid(), tokens.provider.as_str(), tokens.sealed.as_slice());
        let revision = tokens.revision;
        execute!(self, "../store-shared/queries/put_identity_tokens.sql", id, provider, sealed, revision).map(drop)
    }

    async fn lease_identity_tokens(&mut self, lease: &TokenLease) -> Result<bool, StoreError> {
        let (id, now, until) = (lease.identity_id.as_uuid(), lease.now.as_micros(), lease.until.as_micros());
        let revision = lease.revision;
        Ok(execute!(self, "../store-shared/queries/lease_identity_tokens.sql", id, revision, now, until)? == 1)
    }

    async fn renew_identity_tokens(&mut self, from: Uuid, tokens: &StoredTokens) -> Result<bool, StoreError> {
        let (id, sealed, revision) = (tokens.identity_id.as_uuid(), tokens.sealed.as_slice(), tokens.revision);
        Ok(execute!(self, "../store-shared/queries/renew_identity_tokens.sql", id, from, sealed, revision)? == 1)
    }

    async fn release_identity_tokens(&mut self, identity: IdentityId, revision: Uuid) -> Result<(), StoreError> {
        let id = identity.as_uuid();
        execute!(self, "../store-shared/queries/release_identity_tokens.sql", id, revision).map(drop)
    }

    async fn remove_identity_tokens(&mut self, identity: IdentityId, revision: Uuid) -> Result<bool, StoreError> {
        let id = identity.as_uuid();
        Ok(execute!(self, "../store-shared/queries/remove_identity_tokens.sql", id, revision)? == 1)
    }

    async fn purge_identity_tokens(&mut self, provider: &ProviderName, limit: u32) -> Result<u64, StoreError> {
        let (provider, limit) = (provider.as_str(), i64::from(limit));
        execute_bulk!(self, "queries/purge_identity_tokens.sql", provider, limit)
    }

    async fn put_token_draft(&mut self, flow: Uuid, sealed: &[u8], expires_at: Timestamp) -> Result<(), StoreError> {
        let at = expires_at.as_micros();
        execute!(self, "../store-shared/queries/put_token_draft.sql", flow, sealed, at).map(drop)
    }

    async fn take_token_draft(&mut self, flow: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        fetch_optional_scalar!(self, Vec<u8>, "../store-shared/queries/take_token_draft.sql", flow)
    }

    async fn purge_token_drafts(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (now, limit) = (now.as_micros(), i64::from(limit));
        execute_bulk!(self, "queries/purge_token_drafts.sql", now, limit)
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

row! {
    /// A row of `identity_tokens`.
    struct TokensRow {
        provider: String,
        sealed: Vec<u8>,
        revision: Uuid,
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
