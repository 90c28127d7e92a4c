//! The trace that a request belongs to, as far as it is recorded with what the request causes later.

pub mod store;

use crate::ctx::Services;
use crate::error::Result;

/// The target of spans that are for traces only: the log does not show them, and without an exporter they do not exist.
pub const SPAN_TARGET: &str = "denizen::trace";

/// Retention of the recorded spans, in seconds: one day, for as long as deliveries are retried by default.
pub const KEPT_S: u32 = 24 * 60 * 60;

/// Deletes at most `limit` expired records and returns their number.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_traces(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}

/// A recorded span that later work continues, in the terms of W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Identifies the trace.
    pub trace_id: [u8; 16],
    /// Identifies the span.
    pub span_id: [u8; 8],
}

impl TraceParent {
    /// As 24 bytes: both ids.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.trace_id);
        bytes[16..].copy_from_slice(&self.span_id);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it is anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace_id, rest) = bytes.split_first_chunk()?;
        Some(Self { trace_id: *trace_id, span_id: rest.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    #[test]
    fn a_parent_survives_its_bytes() {
        let parent = TraceParent { trace_id: [7; 16], span_id: [9; 8] };
        assert_eq!(TraceParent::from_bytes(&parent.to_bytes()), Some(parent));
        assert_eq!(TraceParent::from_bytes(&[0; 23]), None);
        assert_eq!(TraceParent::from_bytes(&[0; 25]), None);
    }
}
