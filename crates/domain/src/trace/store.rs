//! What traces need of a store.

use async_trait::async_trait;
use uuid::Uuid;

use super::TraceParent;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Reading traces.
#[async_trait]
pub trait TraceReads {
    /// The span in which an event was recorded or a mail queued, by the id of either; `None` if it was not traced, or long
    /// ago.
    async fn find_trace(&mut self, cause: Uuid) -> Result<Option<TraceParent>, StoreError>;
}

/// Writing traces.
#[async_trait]
pub trait TraceWrites {
    /// Records the span in which an event is recorded or a mail queued.
    async fn insert_trace(&mut self, cause: Uuid, parent: TraceParent, expires_at: Timestamp)
    -> Result<(), StoreError>;

    /// Deletes at most `limit` expired records and returns their number.
    async fn purge_traces(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
