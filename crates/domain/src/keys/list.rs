//! List signing keys.

use super::{Algorithm, KeyState, Schedule};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::time::Timestamp;

/// A signing key, without its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The `kid`.
    pub id: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What it is now.
    pub state: KeyState,
    /// Creation time.
    pub created_at: Timestamp,
    /// The time from which the key signs.
    pub activates_at: Timestamp,
    /// The time of withdrawal.
    pub withdrawn_at: Option<Timestamp>,
}

/// Every signing key, the newest first. There are few.
pub async fn list(ctx: &Ctx) -> Result<Vec<KeyInfo>> {
    ctx.require(Permission::SigningKeysRead)?;
    let keys = ctx.store().read().await?.signing_keys().await?;
    let schedule = Schedule::new(keys, ctx.policy(), ctx.now());
    let info = |(key, state): &(super::StoredKey, KeyState)| KeyInfo {
        id: key.id.clone(),
        algorithm: key.algorithm,
        state: *state,
        created_at: key.created_at,
        activates_at: key.activates_at,
        withdrawn_at: key.withdrawn_at,
    };
    Ok(schedule.entries().iter().map(info).collect())
}
