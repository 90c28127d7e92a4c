//! Withdraw a signing key that may be in wrong hands.

use super::rotate::{added, make};
use super::{Algorithm, KeyState, Schedule, keep};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result};
use crate::events::{Happened, record};

/// Withdraws a key: nothing it signed is good from now on. When it was the one that signs, another takes over at once.
pub async fn withdraw(ctx: &Ctx, id: &str) -> Result<()> {
    ctx.require(Permission::SigningKeysWrite)?;
    if ctx.policy().token_algorithm == Algorithm::Hs256 {
        return Err(Error::Conflict(Conflict::SigningBySecret));
    }
    let services = ctx.services();
    loop {
        let keys = ctx.store().read().await?.signing_keys().await?;
        let schedule = Schedule::new(keys, ctx.policy(), ctx.now());
        let (_, state) =
            schedule.entries().iter().find(|(key, _)| key.id == id).ok_or(Error::NotFound(Resource::SigningKey))?;
        if *state == KeyState::Withdrawn {
            return Ok(());
        }
        // The successor is made before the transaction and kept in it: there is no moment without a key.
        let successor = match state {
            KeyState::Current => Some(make(services, &schedule, ctx.now()).await?),
            _ => None,
        };
        let mut tx = ctx.write().await?;
        if let Some(successor) = &successor
            && !tx.insert_signing_key(successor).await?
        {
            tx.commit().await?;
            continue;
        }
        if let Some(successor) = &successor {
            record(ctx, &mut *tx, successor.id.as_str(), added(successor));
        }
        // Somebody else may have withdrawn it since it was read.
        if tx.withdraw_signing_key(id, ctx.now()).await? {
            record(ctx, &mut *tx, id, Happened::SigningKeyWithdrawn {});
        }
        ctx.commit(tx).await?;
        return keep::follow(services).await;
    }
}
