//! Flows that a later request finishes, such as the registration of a passkey or a sign-in at a provider.
//!
//! Nothing is stored when a flow begins: its state is sealed and carried by the client. The transaction that finishes
//! the flow records its id, so that a state is accepted once.

pub mod store;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::ctx::{Ctx, Services};
use crate::error::{Error, Result};
use crate::store::WriteTx;
use crate::time::Timestamp;

/// The longest state with plain bytes that is decoded, in characters.
const BYTES_CHARS_MAX: usize = 8 * 1024;
/// The longest state with a structured value that is decoded, in characters.
const VALUE_CHARS_MAX: usize = 32 * 1024;
const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// A flow that can still be finished.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    id: Uuid,
    expires_at: Timestamp,
}

impl Flow {
    /// Begins a flow that expires in `ttl_s` seconds.
    pub(crate) fn begin(ctx: &Ctx, ttl_s: u32) -> Self {
        Self { id: ctx.new_id(), expires_at: ctx.now().plus_seconds(ttl_s) }
    }

    /// The same flow, which now expires in `ttl_s` seconds.
    pub(crate) fn with_ttl(self, ctx: &Ctx, ttl_s: u32) -> Self {
        Self { expires_at: ctx.now().plus_seconds(ttl_s), ..self }
    }

    /// Unique identifier, the same in each state of the flow.
    pub(crate) const fn id(&self) -> &[u8; ID_BYTES] {
        self.id.as_bytes()
    }

    /// The sealed state of the flow: encrypted and authenticated under the master key, in base64url. Only [`Self::open`]
    /// with the same `context` accepts it: the context names the purpose and, if known, the user and the session.
    pub(crate) fn seal(self, ctx: &Ctx, context: &[u8], payload: &[u8]) -> String {
        let expires_at = self.expires_at.as_micros().to_be_bytes();
        let plain = [self.id().as_slice(), &expires_at, payload].concat();
        URL_SAFE_NO_PAD.encode(ctx.services().vault.seal(context, &plain))
    }

    /// Opens a sealed state; `None` if it is malformed, has another context, or has expired.
    pub(crate) fn open(ctx: &Ctx, context: &[u8], state: &str) -> Option<(Self, Vec<u8>)> {
        open(ctx, context, state, BYTES_CHARS_MAX)
    }

    /// [`Self::seal`] for a structured value.
    ///
    /// # Errors
    /// [`Error::Internal`] if the value cannot be encoded.
    pub(crate) fn seal_value<T: Serialize>(self, ctx: &Ctx, context: &[u8], value: &T) -> Result<String> {
        let payload = rmp_serde::to_vec(value).map_err(|error| Error::Internal(Box::new(error)))?;
        Ok(self.seal(ctx, context, &payload))
    }

    /// [`Self::open`] for a structured value.
    pub(crate) fn open_value<T: DeserializeOwned>(ctx: &Ctx, context: &[u8], state: &str) -> Option<(Self, T)> {
        let (flow, payload) = open(ctx, context, state, VALUE_CHARS_MAX)?;
        Some((flow, rmp_serde::from_slice(&payload).ok()?))
    }

    /// Finishes the flow within a transaction; `false` if it was finished before.
    pub(crate) async fn finish(&self, tx: &mut dyn WriteTx) -> Result<bool> {
        Ok(tx.use_flow(self.id, self.expires_at).await?)
    }
}

fn open(ctx: &Ctx, context: &[u8], state: &str, chars_max: usize) -> Option<(Flow, Vec<u8>)> {
    if state.len() > chars_max {
        return None;
    }
    let plain = ctx.services().vault.open(context, &URL_SAFE_NO_PAD.decode(state).ok()?)?;
    let (id, rest) = plain.split_first_chunk::<ID_BYTES>()?;
    let (expires_at, payload) = rest.split_first_chunk::<TIME_BYTES>()?;
    let expires_at = Timestamp::from_micros(i64::from_be_bytes(*expires_at));
    let is_open = ctx.now() < expires_at;
    is_open.then(|| (Flow { id: Uuid::from_bytes(*id), expires_at }, payload.to_vec()))
}

/// Deletes at most `limit` finished flows whose state has expired, the oldest first, and returns their number.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_flows(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
