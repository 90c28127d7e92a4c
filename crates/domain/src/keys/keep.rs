//! Keep the keys in order: the first one, the next one in time, and none longer than needed.

use super::rotate::{added, make};
use super::{Algorithm, KeyState, Schedule};
use crate::ctx::Services;
use crate::error::Result;
use crate::events::{Happened, record_system};
use crate::time::Timestamp;

/// Signs and verifies with the keys as the store has them now. Every node does this every few seconds: that is how it
/// learns of what another one, or the command line, did.
pub async fn follow(services: &Services) -> Result<()> {
    let schedule = read(services).await?;
    services.signing_keys.adopt(&schedule.for_ring())?;
    Ok(())
}

/// Makes the first key where there is none, and the next one when it is due or another algorithm is configured; removes
/// what no token needs any more. Then [follows](follow).
pub async fn keep(services: &Services) -> Result<()> {
    if services.policy.token_algorithm == Algorithm::Hs256 {
        return Ok(());
    }
    let mut schedule = read(services).await?;
    if let Some(activates_at) = due_at(services, &schedule) {
        // When it is refused another node was faster, and its key will do.
        add(services, &schedule, activates_at).await?;
        schedule = read(services).await?;
    }
    let retired = schedule.entries().iter().filter(|(_, state)| *state == KeyState::Retired);
    let retired: Vec<&str> = retired.map(|(key, _)| key.id.as_str()).collect();
    if !retired.is_empty() {
        let mut tx = services.store.write().await?;
        for id in retired {
            // Of several nodes that see it, one removes it.
            if tx.delete_signing_key(id).await? {
                record_system(services, &mut *tx, id, Happened::SigningKeyRemoved {});
            }
        }
        tx.commit().await?;
    }
    services.signing_keys.adopt(&schedule.for_ring())?;
    Ok(())
}

/// Adds a key to those of the schedule, unless another was added since.
async fn add(services: &Services, schedule: &Schedule, activates_at: Timestamp) -> Result<()> {
    let key = make(services, schedule, activates_at).await?;
    let mut tx = services.store.write().await?;
    if tx.insert_signing_key(&key).await? {
        record_system(services, &mut *tx, key.id.as_str(), added(&key));
    }
    // When it was refused as well: the key of another is read next, and has to be committed.
    Ok(tx.commit().await?)
}

/// When the next key is to take over, if it is time to make it.
fn due_at(services: &Services, schedule: &Schedule) -> Option<Timestamp> {
    let policy = &services.policy;
    let now = services.clock.now();
    let Some(newest) = schedule.newest() else { return Some(now) };
    if schedule.current().is_none() {
        return Some(now);
    }
    let announced = now.plus_seconds(policy.key_lead_s);
    // Nodes that are configured differently for a while must not take turns in adding keys.
    let is_other = !schedule.has_one_of(policy.token_algorithm);
    let ends_at = newest.activates_at.plus_seconds(policy.key_rotation_s);
    let is_due = policy.key_rotation_s > 0 && ends_at <= announced;
    (is_other || is_due).then_some(announced)
}

async fn read(services: &Services) -> Result<Schedule> {
    let keys = services.store.read().await?.signing_keys().await?;
    Ok(Schedule::new(keys, &services.policy, services.clock.now()))
}
