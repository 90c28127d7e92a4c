//! What flows need of a store.

use async_trait::async_trait;
use uuid::Uuid;

use crate::store::StoreError;
use crate::time::Timestamp;

/// Recording finished flows.
#[async_trait]
pub trait FlowWrites {
    /// Records that a flow was finished; `false`, and nothing done, if it was finished before: of many at once, one gets
    /// `true`. The record is needed until the flow expires.
    async fn use_flow(&mut self, id: Uuid, expires_at: Timestamp) -> Result<bool, StoreError>;

    /// Deletes at most `limit` records of expired flows and returns their number.
    async fn purge_flows(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
