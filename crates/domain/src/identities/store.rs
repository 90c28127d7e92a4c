//! What identities need of a store.

use async_trait::async_trait;

use uuid::Uuid;

use super::Identity;
use crate::id::{IdentityId, UserId};
use crate::providers::ProviderName;
use crate::store::StoreError;
use crate::time::Timestamp;

/// The tokens of an identity, as they are stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredTokens {
    /// The identity.
    pub identity_id: IdentityId,
    /// The provider that issued them.
    pub provider: ProviderName,
    /// The tokens, sealed under the master key and bound to identity and provider.
    pub sealed: Vec<u8>,
    /// Changes whenever the tokens change.
    pub revision: Uuid,
}

/// What may go on with the tokens at a time.
#[derive(Debug, Clone, Copy)]
pub struct TokenLease {
    /// The identity.
    pub identity_id: IdentityId,
    /// The revision of the tokens that are refreshed.
    pub revision: Uuid,
    /// The present moment.
    pub now: Timestamp,
    /// When another request may try.
    pub until: Timestamp,
}

/// Reading identities.
#[async_trait]
pub trait IdentityReads {
    /// The identity of this issuer and subject.
    async fn find_identity(&mut self, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError>;

    /// The user's identities, oldest first, at most [`super::IDENTITIES_MAX`].
    async fn list_identities(&mut self, user: UserId) -> Result<Vec<Identity>, StoreError>;

    /// The identities of users, oldest first, by few statements.
    async fn identities_of(&mut self, users: &[UserId]) -> Result<Vec<Identity>, StoreError>;

    /// The tokens that are stored with an identity.
    async fn find_identity_tokens(&mut self, identity: IdentityId) -> Result<Option<StoredTokens>, StoreError>;

    /// The first provider after this name, in the order of names, that tokens are stored of.
    async fn next_token_provider(&mut self, after: &str) -> Result<Option<ProviderName>, StoreError>;
}

/// Writing identities.
#[async_trait]
pub trait IdentityWrites {
    /// Adds an identity; `false`, and nothing done, when its issuer and subject are linked already.
    async fn insert_identity(&mut self, identity: &Identity) -> Result<bool, StoreError>;

    /// Adds the identities whose issuer and subject are not linked, and returns their ids in any order.
    async fn insert_identities(&mut self, identities: &[&Identity]) -> Result<Vec<IdentityId>, StoreError>;

    /// Updates provider, email address and last use of an identity; `false` when it is no longer there.
    async fn update_identity(&mut self, identity: &Identity) -> Result<bool, StoreError>;

    /// Removes an identity of the user; `false` when there is no such one.
    async fn remove_identity(&mut self, user: UserId, id: IdentityId) -> Result<bool, StoreError>;

    /// Stores the tokens of an identity, in place of others, and ends the lease.
    async fn put_identity_tokens(&mut self, tokens: &StoredTokens) -> Result<(), StoreError>;

    /// Leases the tokens to one request that refreshes them; `false` if they have another revision, or are leased: of many
    /// at once, one gets `true`.
    async fn lease_identity_tokens(&mut self, lease: &TokenLease) -> Result<bool, StoreError>;

    /// Replaces the tokens of revision `from`, and ends the lease; `false`, and nothing done, if they have another revision.
    async fn renew_identity_tokens(&mut self, from: Uuid, tokens: &StoredTokens) -> Result<bool, StoreError>;

    /// Ends the lease of the tokens of this revision.
    async fn release_identity_tokens(&mut self, identity: IdentityId, revision: Uuid) -> Result<(), StoreError>;

    /// Removes the tokens of this revision; `false` if there are none. Those of an identity go with it.
    async fn remove_identity_tokens(&mut self, identity: IdentityId, revision: Uuid) -> Result<bool, StoreError>;

    /// Removes at most `limit` tokens of a provider, and returns their number.
    async fn purge_identity_tokens(&mut self, provider: &ProviderName, limit: u32) -> Result<u64, StoreError>;

    /// Stores the sealed tokens of a sign-in that is not finished, in place of earlier ones of the same flow.
    async fn put_token_draft(&mut self, flow: Uuid, sealed: &[u8], expires_at: Timestamp) -> Result<(), StoreError>;

    /// Removes the sealed tokens of a flow, and returns them.
    async fn take_token_draft(&mut self, flow: Uuid) -> Result<Option<Vec<u8>>, StoreError>;

    /// Deletes at most `limit` expired drafts, the oldest first, and returns their number.
    async fn purge_token_drafts(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
