//! Flows that a later request finishes, such as the registration of a passkey.
//!
//! Nothing is stored when a flow begins: its state is sealed and carried by the client. The transaction that finishes
//! the flow records its id, so that a state is accepted once.

pub(crate) mod sealed;
pub mod store;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::ctx::{Ctx, Services};
use crate::error::Result;
use crate::store::WriteTx;
use crate::time::Timestamp;

/// How long a flow can be finished, in seconds.
pub const TTL_S: u32 = 5 * 60;
/// The longest state that is decoded, in bytes.
const STATE_BYTES_MAX: usize = 8 * 1024;
const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// A flow that can still be finished.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    id: Uuid,
    expires_at: Timestamp,
    /// What the beginning of the flow left for its end.
    pub(crate) payload: Vec<u8>,
}

/// Begins a flow and returns its sealed state. Only [`open`] with the same `context` accepts it: the context names the
/// purpose and, where they are known, the user and the session.
pub(crate) fn begin(ctx: &Ctx, context: &[u8], payload: &[u8]) -> String {
    let expires_at = ctx.now().plus_seconds(TTL_S);
    let id = ctx.new_id();
    let plain = [id.as_bytes(), expires_at.as_micros().to_be_bytes().as_slice(), payload].concat();
    URL_SAFE_NO_PAD.encode(ctx.services().vault.seal(context, &plain))
}

/// Opens the state of a flow; `None` if it is malformed, has another context, or has expired.
pub(crate) fn open(ctx: &Ctx, context: &[u8], state: &str) -> Option<Flow> {
    if state.len() > STATE_BYTES_MAX {
        return None;
    }
    let plain = ctx.services().vault.open(context, &URL_SAFE_NO_PAD.decode(state).ok()?)?;
    let (id, rest) = plain.split_first_chunk::<ID_BYTES>()?;
    let (expires_at, payload) = rest.split_first_chunk::<TIME_BYTES>()?;
    let expires_at = Timestamp::from_micros(i64::from_be_bytes(*expires_at));
    let is_open = ctx.now() < expires_at;
    is_open.then(|| Flow { id: Uuid::from_bytes(*id), expires_at, payload: payload.to_vec() })
}

impl Flow {
    /// Finishes the flow within a transaction; `false` if it was finished before.
    pub(crate) async fn finish(&self, tx: &mut dyn WriteTx) -> Result<bool> {
        Ok(tx.use_flow(self.id, self.expires_at).await?)
    }
}

/// Deletes at most `limit` finished flows whose state has expired, the oldest first, and returns their number.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_flows(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
