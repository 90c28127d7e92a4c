//! Read the log, a page at a time.

use super::store::{LogBounds, RecordFilter};
use super::{Event, EventType};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::page::{PAGE_DEFAULT, PAGE_MAX};
use crate::store::{ReadTx, StoreError};

/// How many records are looked at for one page: a filter that few pass must not read the whole log at once.
const SCANNED_MAX: i64 = 50_000;
/// The same where an index finds the records of a subject or an actor, which lie all over the log.
const INDEXED_SCANNED_MAX: u32 = 5_000;
/// How far the times of records may be from the order of the log, in seconds: clocks differ, and what was begun first
/// may be committed last.
const ASTRAY_MAX_S: u32 = 24 * 60 * 60;

/// Which events, and from where.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of these types; of all when nothing is said.
    pub kinds: Option<Vec<EventType>>,
    /// That concern this.
    pub about: Option<String>,
}

impl EventFilter {
    /// Reads a selection of types: names, or beginnings of names with `*`, between commas.
    ///
    /// # Errors
    /// The field `types`, when there is no such type.
    pub fn parse_types(raw: &str) -> Result<Vec<EventType>, FieldError> {
        let mut kinds = Vec::new();
        for part in raw.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let selected = EventType::select(part);
            if selected.is_empty() {
                let message = "must be comma-separated event types, optionally with a trailing *";
                return Err(FieldError::new("types", "unknown_type", message));
            }
            kinds.extend(selected.into_iter().filter(|kind| !kinds.contains(kind)).collect::<Vec<_>>());
        }
        if kinds.is_empty() {
            return Err(FieldError::new("types", "required", "must name at least one type"));
        }
        Ok(kinds)
    }

    /// Whether an event of a type passes.
    #[must_use]
    pub fn admits(&self, kind: Option<EventType>, event: &Event) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kind.is_some_and(|kind| kinds.contains(&kind)))
            && self.about.as_ref().is_none_or(|about| event.about.as_str() == Some(about))
    }

    /// The same for a store.
    #[must_use]
    pub fn records(&self) -> RecordFilter {
        RecordFilter {
            kinds: self.kinds.as_ref().map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect()),
            about: self.about.clone(),
            ..RecordFilter::default()
        }
    }
}

/// A page of the log, oldest first.
#[derive(Debug)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Up to where the log was read: where the next page begins.
    pub read_to: i64,
    /// Whether there is more.
    pub has_more: bool,
}

/// A page of the whole log, from after a record on; from the first that is kept when nothing is said.
///
/// # Errors
/// [`Error::CursorExpired`] when records after that one were removed.
pub async fn list(ctx: &Ctx, filter: &EventFilter, after: Option<i64>, limit: Option<u32>) -> Result<EventPage> {
    ctx.require(Permission::EventsRead)?;
    page(ctx, &filter.records(), after, limit).await
}

/// The same of what concerns the caller, who signed in themselves.
pub async fn list_own(ctx: &Ctx, filter: &EventFilter, after: Option<i64>, limit: Option<u32>) -> Result<EventPage> {
    let (user, _) = ctx.signed_in()?;
    let filter = EventFilter { about: Some(user.to_string()), ..filter.clone() };
    page(ctx, &filter.records(), after, limit).await
}

/// A page of the records that pass a filter.
pub(crate) async fn page(
    ctx: &Ctx,
    filter: &RecordFilter,
    after: Option<i64>,
    limit: Option<u32>,
) -> Result<EventPage> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(FieldError::new("limit", "out_of_range", format!("must be 1 to {PAGE_MAX}")).into());
    }
    // Whoever was told of a change finds it here.
    ctx.store().seal_events().await?;
    let mut tx = ctx.store().snapshot().await?;
    let bounds = tx.log_bounds().await?;
    let after = after.unwrap_or(bounds.floor);
    // Beyond the end is a cursor of before the database was put back to an earlier state.
    if after < bounds.floor || after > bounds.head {
        return Err(Error::CursorExpired);
    }
    let (first, end) = stretch(&mut *tx, filter, &bounds).await?;
    let after = after.max(first);
    let until = scan_end(&mut *tx, filter, after, end, SCANNED_MAX).await?;
    let mut events = tx.find_events(filter, after, until, limit + 1).await?;
    let is_full = events.len() > limit as usize;
    events.truncate(limit as usize);
    let read_to = events.last().filter(|_| is_full).map_or(until.max(after), |last| last.position);
    Ok(EventPage { events, read_to, has_more: read_to < end })
}

/// Up to which record a request may look for those that pass a filter: `scanned_max` records, or fewer where an index finds
/// them.
pub async fn scan_end(
    tx: &mut dyn ReadTx,
    filter: &RecordFilter,
    after: i64,
    end: i64,
    scanned_max: i64,
) -> Result<i64, StoreError> {
    if !filter.is_indexed() {
        return Ok(end.min(after.saturating_add(scanned_max)));
    }
    if !filter.passes_over_indexed() {
        return Ok(end);
    }
    Ok(tx.nth_event(filter, after, end, INDEXED_SCANNED_MAX - 1).await?.unwrap_or(end))
}

/// After which record, and up to which one, those of a stretch of time lie: what is far off need not be looked at.
async fn stretch(tx: &mut dyn ReadTx, filter: &RecordFilter, bounds: &LogBounds) -> Result<(i64, i64)> {
    let first = match filter.from {
        Some(from) => tx.last_event_before(from.minus_seconds(ASTRAY_MAX_S)).await?,
        None => None,
    };
    let beyond = match filter.until {
        Some(until) => tx.first_event_since(until.plus_seconds(ASTRAY_MAX_S)).await?,
        None => None,
    };
    Ok((first.unwrap_or(bounds.floor), beyond.map_or(bounds.head, |beyond| beyond - 1)))
}
