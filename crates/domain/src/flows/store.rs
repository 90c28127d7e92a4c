//! What flows need of a store.

use async_trait::async_trait;
use uuid::Uuid;

use crate::store::StoreError;
use crate::time::Timestamp;

/// Noting which flows are used.
#[async_trait]
pub trait FlowWrites {
    /// Notes that a flow is used; `false`, and nothing done, when it was used before: of many at once, one gets `true`.
    /// The note is kept until the flow has expired.
    async fn use_flow(&mut self, id: Uuid, expires_at: Timestamp) -> Result<bool, StoreError>;

    /// Removes at most so many notes of flows that have expired, and returns how many.
    async fn purge_flows(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
