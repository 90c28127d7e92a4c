//! The spans in which events were recorded and mails queued.

use async_trait::async_trait;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::trace::TraceParent;
use denizen_domain::trace::store::{TraceReads, TraceWrites};
use uuid::Uuid;

use crate::sql::{execute, execute_bulk, fetch_optional_scalar};
use crate::tx::Tx;

#[async_trait]
impl TraceReads for Tx {
    async fn find_trace(&mut self, cause: Uuid) -> Result<Option<TraceParent>, StoreError> {
        let found = fetch_optional_scalar!(self, Vec<u8>, "../store-shared/queries/find_trace.sql", cause)?;
        Ok(found.as_deref().and_then(TraceParent::from_bytes))
    }
}

#[async_trait]
impl TraceWrites for Tx {
    async fn insert_trace(
        &mut self,
        cause: Uuid,
        parent: TraceParent,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (parent, expires_at) = (parent.to_bytes(), expires_at.as_micros());
        execute!(self, "../store-shared/queries/insert_trace.sql", cause, parent.as_slice(), expires_at)?;
        Ok(())
    }

    async fn purge_traces(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_traces.sql", now.as_micros(), i64::from(limit))
    }
}

impl Tx {
    /// Writes the traces of the events that this transaction records.
    pub(crate) async fn write_traces(&mut self) -> Result<(), StoreError> {
        for (event, parent, expires_at) in self.take_traces() {
            self.insert_trace(event, parent, expires_at).await?;
        }
        Ok(())
    }
}
