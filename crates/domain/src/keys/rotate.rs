//! Rotate the signing key.

use super::{Algorithm, KeyInfo, KeyState, Schedule, StoredKey, keep};
use crate::access::Permission;
use crate::ctx::{Ctx, Services};
use crate::error::{Conflict, Error, Result};
use crate::events::{Happened, record};
use crate::time::Timestamp;

/// When the new key becomes current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// When every cache has seen it: nobody meets a token whose key they do not know.
    Announced,
    /// At once. Verifiers that keep the JWK Set may refuse tokens until they fetch it again.
    Immediate,
}

/// Makes a key that takes over from the present one. What that one signed stays good.
pub async fn rotate(ctx: &Ctx, takeover: Takeover) -> Result<KeyInfo> {
    ctx.require(Permission::SigningKeysWrite)?;
    if ctx.policy().token_algorithm == Algorithm::Hs256 {
        return Err(Error::Conflict(Conflict::SigningBySecret));
    }
    let services = ctx.services();
    let activates_at = match takeover {
        Takeover::Announced => ctx.now().plus_seconds(ctx.policy().key_lead_s),
        Takeover::Immediate => ctx.now(),
    };
    loop {
        let keys = ctx.store().read().await?.signing_keys().await?;
        let schedule = Schedule::new(keys, ctx.policy(), ctx.now());
        // Made before the transaction: it takes a while.
        let key = make(services, &schedule, activates_at).await?;
        let mut tx = ctx.write().await?;
        if !tx.insert_signing_key(&key).await? {
            // Another node or command added a key meanwhile: this one comes after it, once it is committed.
            tx.commit().await?;
            continue;
        }
        record(ctx, &mut *tx, key.id.as_str(), added(&key));
        ctx.commit(tx).await?;
        let services = ctx.shared_services();
        ctx.after_commit(async move { keep::follow(&services).await }).await?;
        return Ok(KeyInfo {
            state: if key.activates_at > ctx.now() { KeyState::Next } else { KeyState::Current },
            id: key.id,
            algorithm: key.algorithm,
            created_at: key.created_at,
            activates_at: key.activates_at,
            withdrawn_at: None,
        });
    }
}

/// What is recorded of a new key.
pub(super) fn added(key: &StoredKey) -> Happened {
    Happened::SigningKeyRotated { algorithm: key.algorithm, activates_at: key.activates_at }
}

/// Makes the key that follows those of the schedule, outside of any transaction.
pub(super) async fn make(services: &Services, schedule: &Schedule, activates_at: Timestamp) -> Result<StoredKey> {
    let material = services.signing_keys.make(services.policy.token_algorithm).await?;
    Ok(StoredKey {
        id: material.id,
        sequence: schedule.next_sequence(),
        algorithm: material.algorithm,
        public_key: material.public_key,
        sealed_private_key: material.sealed_private_key,
        created_at: services.clock.now(),
        activates_at,
        withdrawn_at: None,
    })
}
