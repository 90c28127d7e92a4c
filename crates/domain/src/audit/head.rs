//! The last record of the log, to be stored elsewhere.

use super::KnownHead;
use crate::access::Permission;
use crate::ctx::{Ctx, Services};
use crate::error::Result;
use crate::time::Timestamp;

/// The last record of the log at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number and hash.
    pub last: KnownHead,
    /// The first record that must be keyed.
    pub keyed_from: i64,
    /// When it was the last.
    pub at: Timestamp,
}

/// Where the log ends now.
pub async fn head(ctx: &Ctx) -> Result<Head> {
    ctx.require(Permission::AuditRead)?;
    last_head(ctx.services()).await
}

/// The same for the server itself, which exports it.
pub async fn last_head(services: &Services) -> Result<Head> {
    services.store.seal_events().await?;
    let at = services.clock.now();
    let mut snapshot = services.store.snapshot().await?;
    let bounds = snapshot.log_bounds().await?;
    let start = snapshot.log_seals().await?.start;
    let keyed_from = start.map_or(bounds.head, |start| start.position).saturating_add(1);
    Ok(Head { last: KnownHead { position: bounds.head, hash: bounds.head_hash }, keyed_from, at })
}
