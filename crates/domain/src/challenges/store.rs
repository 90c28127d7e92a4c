//! What challenges need of a store.

use async_trait::async_trait;

use super::Challenge;
use crate::id::{ChallengeId, UserId};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading challenges.
#[async_trait]
pub trait ChallengeReads {
    /// The challenge with this id, unless it has expired or its tries are used up.
    async fn find_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreError>;
}

/// Keeping challenges.
#[async_trait]
pub trait ChallengeWrites {
    /// Adds a challenge.
    async fn insert_challenge(&mut self, challenge: &Challenge) -> Result<(), StoreError>;

    /// Uses one try up, by one statement: of many at once, no more get one than there are. `None` when none is left, it
    /// has expired, or there is no such challenge.
    async fn try_challenge(&mut self, id: ChallengeId, now: Timestamp) -> Result<Option<Challenge>, StoreError>;

    /// Removes a challenge; `false` when it is gone already: of many at once, one gets `true`.
    async fn remove_challenge(&mut self, id: ChallengeId) -> Result<bool, StoreError>;

    /// Removes the user's challenges.
    async fn remove_challenges(&mut self, user: UserId) -> Result<(), StoreError>;

    /// Removes at most so many expired challenges, and says how many.
    async fn purge_challenges(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
