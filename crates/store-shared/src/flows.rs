//! Finished flows.

use async_trait::async_trait;
use denizen_domain::flows::store::FlowWrites;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::sql::{execute, execute_bulk};
use crate::tx::Tx;

#[async_trait]
impl FlowWrites for Tx {
    async fn use_flow(&mut self, id: Uuid, expires_at: Timestamp) -> Result<bool, StoreError> {
        Ok(execute!(self, "../store-shared/queries/use_flow.sql", id, expires_at.as_micros())? == 1)
    }

    async fn purge_flows(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_flows.sql", now.as_micros(), i64::from(limit))
    }
}
