//! What one-time tokens need of a store.

use async_trait::async_trait;

use super::{OneTimeToken, Purpose};
use crate::id::{OneTimeTokenId, SessionId, UserId};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading one-time tokens.
#[async_trait]
pub trait OneTimeTokenReads {
    /// The token with this id, unless it has expired. To look before costly work; only taking it decides.
    async fn find_one_time_token(
        &mut self,
        id: OneTimeTokenId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError>;

    /// Whether the user has a token for this purpose that has not expired.
    async fn has_one_time_token(&mut self, user: UserId, purpose: Purpose, now: Timestamp) -> Result<bool, StoreError>;
}

/// Keeping one-time tokens.
#[async_trait]
pub trait OneTimeTokenWrites {
    /// Keeps a token, in place of the user's one before for the same purpose.
    async fn put_one_time_token(&mut self, token: &OneTimeToken) -> Result<(), StoreError>;

    /// Removes the token and returns what it was, by one statement: of many at once, one gets it. `None` when there is
    /// none, or it has expired.
    async fn take_one_time_token(
        &mut self,
        id: OneTimeTokenId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, StoreError>;

    /// Removes the user's tokens of these purposes.
    async fn remove_one_time_tokens(&mut self, user: UserId, purposes: &[Purpose]) -> Result<(), StoreError>;

    /// Removes the user's pending address change if this session asked for it, or if which one did is unknown.
    async fn remove_email_change_by(&mut self, user: UserId, session: SessionId) -> Result<(), StoreError>;

    /// Removes at most so many expired tokens, and says how many.
    async fn purge_one_time_tokens(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
