//! Seals where the keyed records and the log itself begin.

use super::KnownHead;
use super::verify::{Accepts, Report, walk};
use crate::access::{Actor, Permission};
use crate::ctx::{Ctx, Services};
use crate::error::{Error, Result};
use crate::events::chain::ChainKey;
use crate::events::store::{KeyedStart, LogBounds, LogSeals};

/// Hands the store the key of the chain, and seals the log when no release before did: what is there has no key, and what
/// follows must have one. Returns the last record without a key when it was sealed just now.
pub async fn key_log(services: &Services) -> Result<Option<i64>> {
    let key = ChainKey::derive(services.vault.as_ref());
    services.store.key_log(key.clone());
    if services.store.read().await?.log_seals().await?.start.is_some() {
        return Ok(None);
    }
    let mut tx = services.store.write().await?;
    let bounds = tx.lock_log().await?;
    // Another node may have sealed it meanwhile, perhaps in a write that shares this transaction.
    if tx.log_seals().await?.start.is_some() {
        tx.commit().await?;
        return Ok(None);
    }
    let last = KnownHead { position: bounds.head, hash: bounds.head_hash };
    tx.set_log_seals(&seals(&key, last, &bounds)).await?;
    tx.commit().await?;
    Ok(Some(last.position))
}

/// Accepts the log as it is after an upgrade during which the release before wrote records without a key or removed old
/// ones: checks it, records without a key included, and seals where it begins and up to where records may lack a key.
/// Nothing is sealed when the report has a fault.
pub async fn reseal(ctx: &Ctx, on_progress: &mut (dyn FnMut(i64, i64) + Send)) -> Result<Report> {
    ctx.require(Permission::AuditRead)?;
    if !matches!(ctx.actor(), Actor::Operator) {
        return Err(Error::Forbidden);
    }
    let report = walk(ctx, Vec::new(), Accepts::Unkeyed, on_progress).await?;
    if report.fault.is_some() {
        return Ok(report);
    }
    let key = ChainKey::derive(ctx.services().vault.as_ref());
    let mut tx = ctx.write().await?;
    let bounds = tx.lock_log().await?;
    tx.set_log_seals(&seals(&key, report.head, &bounds)).await?;
    ctx.commit(tx).await?;
    Ok(report)
}

fn seals(key: &ChainKey, last: KnownHead, bounds: &LogBounds) -> LogSeals {
    let KnownHead { position, hash } = last;
    LogSeals {
        start: Some(KeyedStart { position, hash, seal: key.seal_start(position, &hash).to_vec() }),
        floor: Some(key.seal_floor(bounds.floor, &bounds.floor_hash).to_vec()),
    }
}
