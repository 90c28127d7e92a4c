//! Erase personal data of deleted users from the log. Their ids stay, as pseudonyms.

use uuid::Uuid;

use super::chain::ChainKey;
use super::personal::without_personal;
use super::store::{Erasure, RecordFilter};
use super::{ActorKind, Event, RecordForm};
use crate::ctx::Services;
use crate::error::Result;

/// Erases the personal data of users who were deleted more than `events.pseudonymize_after_days` ago from records about
/// them and by them, in steps. A run that ends before is completed by the next one.
///
/// Records of earlier releases stay as they are until the retention period ends, because they authenticate personal data
/// directly.
#[derive(Debug, Default)]
pub struct Pseudonymization {
    current: Option<Deleted>,
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

impl Pseudonymization {
    /// Erases at most so many records in one transaction; `false` when nothing is left to do.
    pub async fn step(&mut self, services: &Services, batch: u32) -> Result<bool> {
        let Some(after_s) = services.policy.events_pseudonymized_after_s else { return Ok(false) };
        let key = ChainKey::derive(services.vault.as_ref());
        let mut read = services.store.read().await?;
        let mut deleted = if let Some(deleted) = self.current.take() {
            deleted
        } else {
            let before = services.clock.now().minus_seconds(after_s);
            let Some(record) = read.deletions_to_pseudonymize(before, 1).await?.pop() else { return Ok(false) };
            Deleted::new(record, read.log_bounds().await?.head)
        };
        let Some(filter) = deleted.filters.last() else {
            drop(read);
            erase(services, &[of_deletion(&key, &deleted.record)]).await?;
            return Ok(true);
        };
        let records = read.find_events(filter, deleted.after, deleted.until, batch).await?;
        drop(read);
        let others = records.iter().filter(|record| record.position != deleted.record.position);
        let erasures: Vec<_> = others.filter_map(|other| erasure(&key, other, deleted.record.about.as_str())).collect();
        erase(services, &erasures).await?;
        if let Some(last) = records.get(batch.max(1) as usize - 1) {
            deleted.after = last.position;
        } else {
            deleted.filters.pop();
            deleted.after = 0;
        }
        self.current = Some(deleted);
        Ok(true)
    }
}

impl Deleted {
    fn new(record: Event, until: i64) -> Self {
        let about = RecordFilter { about: record.about.as_str().map(str::to_owned), ..RecordFilter::default() };
        let actor = record.about.as_str().and_then(|id| Uuid::parse_str(id).ok());
        let by = RecordFilter { actor, ..RecordFilter::default() };
        // Without an id, only the record of the deletion is concerned.
        let filters = if actor.is_some() { vec![by, about] } else { Vec::new() };
        Self { record, filters, after: 0, until }
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
    // Whoever acted on the user without credentials was probably the user. Others keep their address.
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
        // A record without personal data was altered, and does not verify in any case.
        data: Some((key.data_digest(deletion).unwrap_or_default(), without_personal(deletion))),
    }
}

/// Whether a user is the actor of a record.
fn is_by(record: &Event, user: Option<&str>) -> bool {
    record.actor.kind == ActorKind::User && record.actor.id.map(|id| id.to_string()).as_deref() == user
}
