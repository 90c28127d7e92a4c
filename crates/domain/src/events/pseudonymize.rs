//! Erase personal data of deleted users from the log. Their ids stay, as pseudonyms.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::chain::ChainKey;
use super::personal::without_personal;
use super::store::{DeletionKey, Erasure, RecordFilter};
use super::{ActorKind, Event, RecordForm};
use crate::ctx::Services;
use crate::error::Result;
use crate::id::UserId;
use crate::store::ReadTx;
use crate::time::Timestamp;

/// Erases the personal data of users who were deleted more than `events.pseudonymize_after_days` ago from records about
/// them and by them, in steps. A run that ends before is completed by the next one.
///
/// Only authentic records are used and changed. Otherwise, write access to the database would be enough to have any record
/// erased in a log that verifies. Records of earlier releases stay as they are until the retention period ends, because they
/// authenticate personal data directly.
#[derive(Debug)]
pub struct Pseudonymization {
    current: Option<Deleted>,
    /// The deletions up to this one were considered.
    considered: DeletionKey,
}

/// A deleted user whose records are erased.
#[derive(Debug)]
struct Deleted {
    /// The record of the deletion. It is erased last: it shows that the others are done.
    record: Event,
    /// Which records are read, and those that are read after them.
    filters: Vec<RecordFilter>,
    /// The last record that was read.
    after: i64,
    /// The end of the log when the first record was read.
    until: i64,
}

impl Default for Pseudonymization {
    fn default() -> Self {
        Self { current: None, considered: DeletionKey { occurred_at: Timestamp::from_micros(i64::MIN), position: 0 } }
    }
}

impl Pseudonymization {
    /// Erases at most so many records in one transaction; `false` when nothing is left to do.
    pub async fn step(&mut self, services: &Services, batch: u32) -> Result<bool> {
        let Some(after_s) = services.policy.events_pseudonymized_after_s else { return Ok(false) };
        let key = ChainKey::derive(services.vault.as_ref());
        let mut read = services.store.snapshot().await?;
        let mut deleted = if let Some(deleted) = self.current.take() {
            deleted
        } else {
            let before = services.clock.now().minus_seconds(after_s);
            let found = read.deletions_to_pseudonymize(before, self.considered, 1).await?.pop();
            let Some(record) = found else { return Ok(false) };
            self.considered = DeletionKey { occurred_at: record.occurred_at, position: record.position };
            if !is_effective(&mut *read, &key, &record).await? {
                return Ok(true);
            }
            Deleted::new(record, read.log_bounds().await?.head)
        };
        let Some(filter) = deleted.filters.last() else {
            drop(read);
            erase(services, &[of_deletion(&key, &deleted.record)]).await?;
            return Ok(true);
        };
        let mut records = read.find_events(filter, deleted.after, deleted.until, batch).await?;
        if let Some(last) = records.get(batch.max(1) as usize - 1) {
            deleted.after = last.position;
        } else {
            deleted.filters.pop();
            deleted.after = 0;
        }
        records.retain(|record| record.position != deleted.record.position);
        keep_authentic(&mut *read, &key, &mut records).await?;
        drop(read);
        let erasures: Vec<_> =
            records.iter().filter_map(|record| erasure(&key, record, deleted.record.about.as_str())).collect();
        erase(services, &erasures).await?;
        self.current = Some(deleted);
        Ok(true)
    }
}

/// Whether a record of a deletion is authentic, and its user does not exist: an import can create the user again with the
/// same id.
async fn is_effective(read: &mut dyn ReadTx, key: &ChainKey, deletion: &Event) -> Result<bool> {
    let Some(user) = user_of(deletion) else { return Ok(false) };
    if read.find_user(UserId::from_uuid(user)).await?.is_some() {
        return Ok(false);
    }
    let mut records = vec![deletion.clone()];
    keep_authentic(read, key, &mut records).await?;
    Ok(!records.is_empty())
}

/// Removes records from the list that do not match their hash.
async fn keep_authentic(read: &mut dyn ReadTx, key: &ChainKey, records: &mut Vec<Event>) -> Result<()> {
    let bounds = read.log_bounds().await?;
    let before: Vec<i64> = records.iter().map(|record| record.position - 1).collect();
    let previous = read.events_at(&before).await?;
    let mut hashes: BTreeMap<_, _> = previous.into_iter().map(|record| (record.position, record.hash)).collect();
    hashes.insert(bounds.floor, bounds.floor_hash);
    records.retain(|record| {
        hashes.get(&(record.position - 1)).is_some_and(|previous| key.hash(previous, record) == record.hash)
    });
    Ok(())
}

fn user_of(deletion: &Event) -> Option<Uuid> {
    deletion.about.as_str().and_then(|id| Uuid::parse_str(id).ok())
}

impl Deleted {
    fn new(record: Event, until: i64) -> Self {
        let about = RecordFilter { about: record.about.as_str().map(str::to_owned), ..RecordFilter::default() };
        let by = RecordFilter { actor: user_of(&record), ..RecordFilter::default() };
        Self { record, filters: vec![by, about], after: 0, until }
    }
}

async fn erase(services: &Services, erasures: &[Erasure]) -> Result<()> {
    if erasures.is_empty() {
        return Ok(());
    }
    let mut tx = services.store.write().await?;
    tx.erase_events(erasures).await?;
    tx.commit().await?;
    Ok(())
}

/// What is to be erased from a record about a user or by them; `None` if there is nothing.
fn erasure(key: &ChainKey, record: &Event, user: Option<&str>) -> Option<Erasure> {
    if record.form == RecordForm::Whole {
        return None;
    }
    let is_subject = record.about.as_str() == user;
    let is_actor = is_by(record, user);
    // An unauthenticated client that acted on the user was probably the user. Other actors keep their address.
    let is_theirs = is_actor || (is_subject && record.actor.kind == ActorKind::Anonymous);
    let has_origin = record.address.is_some() || record.user_agent.is_some();
    let origin = if is_theirs && has_origin { key.origin_digest(record) } else { None };
    let is_erased = record.erased.data.is_some();
    let digest = if is_subject && !is_erased { key.data_digest(record) } else { None };
    let data = digest.map(|digest| (digest, without_personal(record)));
    (origin.is_some() || data.is_some()).then_some(Erasure { position: record.position, origin, data })
}

/// The erasure of the record of a deletion: its data is always replaced.
fn of_deletion(key: &ChainKey, deletion: &Event) -> Erasure {
    Erasure {
        position: deletion.position,
        origin: if is_by(deletion, deletion.about.as_str()) { key.origin_digest(deletion) } else { None },
        // It always has personal data: the address.
        data: Some((key.data_digest(deletion).unwrap_or_default(), without_personal(deletion))),
    }
}

/// Whether a user is the actor of a record.
fn is_by(record: &Event, user: Option<&str>) -> bool {
    record.actor.kind == ActorKind::User && record.actor.id.map(|id| id.to_string()).as_deref() == user
}
