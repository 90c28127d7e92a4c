//! The trace that a request belongs to, as far as it is recorded with what the request causes later.

pub mod store;

use crate::ctx::Services;
use crate::error::Result;

/// The target of spans that are for traces only: the log does not show them, and without an exporter they do not exist.
pub const SPAN_TARGET: &str = "denizen::trace";

/// How long it is recorded in which trace something was caused, in seconds: for as long as it is retried.
pub const KEPT_S: u32 = 24 * 60 * 60;

/// Deletes at most `limit` expired records and returns their number.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_traces(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}

/// A span that work continues after, in the terms of W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Identifies the trace.
    pub trace_id: [u8; 16],
    /// Identifies the span.
    pub span_id: [u8; 8],
    /// Whether the trace is recorded.
    pub is_sampled: bool,
}

impl TraceParent {
    /// As 25 bytes: the ids, and the flags.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 25] {
        let mut bytes = [0; 25];
        bytes[..16].copy_from_slice(&self.trace_id);
        bytes[16..24].copy_from_slice(&self.span_id);
        bytes[24] = u8::from(self.is_sampled);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if it is anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace_id, rest) = bytes.split_first_chunk()?;
        let (span_id, flags) = rest.split_first_chunk()?;
        let [flags] = flags else { return None };
        Some(Self { trace_id: *trace_id, span_id: *span_id, is_sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    #[test]
    fn a_parent_survives_its_bytes() {
        for is_sampled in [false, true] {
            let parent = TraceParent { trace_id: [7; 16], span_id: [9; 8], is_sampled };
            assert_eq!(TraceParent::from_bytes(&parent.to_bytes()), Some(parent));
        }
        assert_eq!(TraceParent::from_bytes(&[0; 24]), None);
        assert_eq!(TraceParent::from_bytes(&[0; 26]), None);
    }
}
