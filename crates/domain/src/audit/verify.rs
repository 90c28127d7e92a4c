//! Checks the log: numbers without a gap, and every record bound to the one before under the key of the chain.

use std::fmt;

use super::Fault;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{FieldError, Result};
use crate::events::chain::ChainKey;
use crate::events::store::{KeyedStart, LogBounds};
use crate::events::{Event, chain};
use crate::store::ReadTx;

/// How many records are held at once.
const RECORDS_AT_ONCE: u32 = 1_000;
/// How many heads that are known from elsewhere can be checked against at once.
pub const KNOWN_MAX: usize = 10_000;

/// The number and the hash of a record, as a check told them once: `POSITION:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownHead {
    /// The number.
    pub position: i64,
    /// The hash.
    pub hash: [u8; 32],
}

impl KnownHead {
    /// Reads `POSITION:HASH`, the hash in hexadecimal.
    ///
    /// # Errors
    /// The named field, when it is not that.
    pub fn parse(field: &str, raw: &str) -> Result<Self, FieldError> {
        let read = || {
            let (position, hash) = raw.split_once(':')?;
            let position = position.bytes().all(|byte| byte.is_ascii_digit()).then(|| position.parse().ok())??;
            let digits = hash.as_bytes();
            if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            let mut bytes = [0; 32];
            for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
                *byte = u8::from_str_radix(&hash[at..at + 2], 16).ok()?;
            }
            Some(Self { position, hash: bytes })
        };
        let message = "must be POSITION:HASH, as printed by a verification; pass signed heads with --known-file";
        read().ok_or_else(|| FieldError::new(field, "invalid_value", message))
    }
}

impl fmt::Display for KnownHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, chain::hexadecimal(&self.hash))
    }
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The record before the first that is kept; 0 when none was ever removed.
    pub floor: i64,
    /// The last record that was checked, and its hash: keep it elsewhere, for the next check.
    pub head: KnownHead,
    /// The first record that must be keyed.
    pub keyed_from: i64,
    /// How many records were checked.
    pub checked: u64,
    /// How many of them have no key.
    pub unkeyed: u64,
    /// The known heads whose records are no longer kept: nothing can be said of them.
    pub forgotten: Vec<KnownHead>,
    /// The first thing that is wrong, when anything is.
    pub fault: Option<Fault>,
}

/// A walk over the log.
struct Walk {
    key: ChainKey,
    /// The last record that may lack a key.
    start: KeyedStart,
    accepts: Accepts,
    report: Report,
    /// Heads that are known from elsewhere, the last first.
    known: Vec<KnownHead>,
    /// Where the log ended when the walk began.
    target: KnownHead,
}

/// Checks every record from the first that is kept to the last there is when it begins, in constant memory; stops at
/// the first fault. Records may be written and removed meanwhile. `on_progress` hears how far it has come, and how far
/// it is.
///
/// # Errors
/// The field `known`, when there are more than [`KNOWN_MAX`].
pub async fn verify(
    ctx: &Ctx,
    known: Vec<KnownHead>,
    on_progress: &mut (dyn FnMut(i64, i64) + Send),
) -> Result<Report> {
    ctx.require(Permission::AuditRead)?;
    walk(ctx, known, Accepts::Keyed, on_progress).await
}

/// What a walk takes for whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    /// Keyed records and a sealed beginning.
    Keyed,
    /// Records without a key as well, and a beginning that is not sealed.
    Unkeyed,
}

pub(super) async fn walk(
    ctx: &Ctx,
    mut known: Vec<KnownHead>,
    accepts: Accepts,
    on_progress: &mut (dyn FnMut(i64, i64) + Send),
) -> Result<Report> {
    if known.len() > KNOWN_MAX {
        let message = format!("must be at most {KNOWN_MAX} heads");
        return Err(FieldError::new("known", "too_many", message).into());
    }
    known.sort_by_key(|head| std::cmp::Reverse(head.position));
    ctx.store().seal_events().await?;
    let mut snapshot = ctx.store().snapshot().await?;
    let bounds = snapshot.log_bounds().await?;
    let start = snapshot.log_seals().await?.start;
    drop(snapshot);
    let key = ChainKey::derive(ctx.services().vault.as_ref());
    let floor = KnownHead { position: bounds.floor, hash: bounds.floor_hash };
    let is_sealed = start.as_ref().is_some_and(|start| key.is_start(start));
    let start = start.unwrap_or(KeyedStart { position: bounds.floor, hash: bounds.floor_hash, seal: Vec::new() });
    let mut walk = Walk {
        report: Report {
            floor: bounds.floor,
            head: floor,
            keyed_from: start.position.saturating_add(1),
            checked: 0,
            unkeyed: 0,
            forgotten: Vec::new(),
            fault: (!is_sealed).then_some(Fault::UnsealedStart { position: start.position }),
        },
        key,
        start,
        accepts,
        known,
        target: KnownHead { position: bounds.head, hash: bounds.head_hash },
    };
    if walk.report.fault.is_some() {
        return Ok(walk.report);
    }
    loop {
        // What a page says and where the log begins and ends at that moment agree with each other.
        let mut tx = ctx.store().snapshot().await?;
        let outcome = walk.step(&mut *tx).await?;
        on_progress(walk.report.head.position - bounds.floor, walk.target.position - bounds.floor);
        match outcome {
            Ok(Step::More) => {}
            Ok(Step::End) => return Ok(walk.report),
            Err(fault) => {
                walk.report.fault = Some(fault);
                return Ok(walk.report);
            }
        }
    }
}

enum Step {
    More,
    End,
}

impl Walk {
    /// Checks a page.
    async fn step(&mut self, tx: &mut dyn ReadTx) -> Result<Result<Step, Fault>> {
        let bounds = tx.log_bounds().await?;
        let is_first = self.report.checked == 0;
        if is_first || bounds.floor > self.report.head.position {
            // What was removed because it is past its time cannot be checked any more.
            let floor = KnownHead { position: bounds.floor, hash: bounds.floor_hash };
            (self.report.floor, self.report.head) = (floor.position, floor);
            if let Some(before) = tx.events_between(0, bounds.floor, 1).await?.first() {
                return Ok(Err(Fault::BeforeFloor { position: before.position }));
            }
            if let Err(fault) = self.check_known() {
                return Ok(Err(fault));
            }
        }
        let after = self.report.head.position;
        let records = tx.events_between(after, self.target.position, RECORDS_AT_ONCE).await?;
        if let Err(fault) = self.check_page(&records) {
            return Ok(Err(fault));
        }
        if records.len() == RECORDS_AT_ONCE as usize {
            return Ok(Ok(Step::More));
        }
        Ok(self.check_end(tx, &bounds).await?.map(|()| Step::End))
    }

    fn check_page(&mut self, records: &[Event]) -> Result<(), Fault> {
        for record in records {
            let before = self.report.head;
            let expected = before.position + 1;
            if record.position > expected {
                return Err(Fault::Missing { position: expected, until: record.position - 1 });
            }
            if self.key.hash(&before.hash, record) != record.hash {
                if chain::hash(&before.hash, record) != record.hash {
                    let moved = misplaced(&self.key, record, records);
                    return Err(moved.unwrap_or(Fault::Changed { position: record.position }));
                }
                if record.position > self.start.position && self.accepts == Accepts::Keyed {
                    return Err(Fault::Unkeyed { position: record.position });
                }
                self.report.unkeyed += 1;
            }
            if record.position == self.start.position && record.hash != self.start.hash {
                return Err(Fault::Changed { position: record.position });
            }
            self.report.head = KnownHead { position: record.position, hash: record.hash };
            self.report.checked += 1;
            self.check_known()?;
        }
        Ok(())
    }

    /// Compares with what is known of the place where the walk has come to, and lets go of what lies before.
    fn check_known(&mut self) -> Result<(), Fault> {
        let here = self.report.head;
        while let Some(known) = self.known.pop_if(|known| known.position <= here.position) {
            if known.position < here.position {
                self.report.forgotten.push(known);
            } else if known.hash != here.hash {
                return Err(Fault::KnownDiffers { position: here.position });
            }
        }
        Ok(())
    }

    async fn check_end(&mut self, tx: &mut dyn ReadTx, bounds: &LogBounds) -> Result<Result<(), Fault>> {
        let (here, target) = (self.report.head, self.target);
        if here.position < target.position {
            return Ok(Err(Fault::Missing { position: here.position + 1, until: target.position }));
        }
        if here.position == target.position && here.hash != target.hash {
            return Ok(Err(Fault::OtherHead { position: here.position }));
        }
        if let Some(beyond) = tx.events_between(bounds.head, i64::MAX, 1).await?.first() {
            return Ok(Err(Fault::BeyondHead { position: beyond.position }));
        }
        let seal = tx.log_seals().await?.floor;
        let is_sealed = seal.is_some_and(|seal| self.key.is_floor(bounds, &seal));
        if !is_sealed && self.accepts == Accepts::Keyed {
            return Ok(Err(Fault::UnsealedFloor { position: bounds.floor }));
        }
        // Those that are left lie behind where the log ended when the walk began.
        if let Some(known) = self.known.last() {
            return Ok(Err(Fault::KnownMissing { position: known.position }));
        }
        Ok(Ok(()))
    }
}

/// Whether a record that does not fit where it stands fits somewhere near: then it was only moved.
fn misplaced(key: &ChainKey, record: &Event, among: &[Event]) -> Option<Fault> {
    let fits = |pair: &&[Event]| {
        let moved = Event { position: pair[1].position, ..record.clone() };
        let before = &pair[0].hash;
        key.hash(before, &moved) == record.hash || chain::hash(before, &moved) == record.hash
    };
    let belongs_at = among.windows(2).find(fits)?[1].position;
    Some(Fault::Moved { position: record.position, belongs_at })
}

#[cfg(test)]
mod tests {
    use super::KnownHead;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let raw = format!("42:{}", "0123456789abcdef".repeat(4));
        assert_eq!(KnownHead::parse("known", &raw).unwrap().to_string(), raw);
        for raw in ["", "42", ":", "42:", "-1:00", &raw[..raw.len() - 1], &format!("{raw}0"), &raw.replace("42", "+42")]
        {
            assert!(KnownHead::parse("known", raw).is_err(), "{raw}");
        }
        let wide = format!("1:{}", "é".repeat(32));
        assert!(KnownHead::parse("known", &wide).is_err());
    }
}
