//! The log of events, as it is read and kept. How a record gets its place is a matter of each store.

use async_trait::async_trait;
use denizen_domain::events::store::{
    DeletionKey, Erasure, EventReads, EventRow, EventWrites, KeyedStart, LogBounds, LogSeals, RecordFilter, TicketRow,
};
use denizen_domain::events::tickets::Ticket;
use denizen_domain::events::{Event, NewEvent};
use denizen_domain::id::TicketId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::trace;
use denizen_domain::value::Object;
use uuid::Uuid;

use crate::codec::kind_list;
use crate::error::broken;
use crate::shared::concurrency::Concurrency;
use crate::sql::{execute, execute_bulk, fetch_all, fetch_one, fetch_optional, fetch_optional_scalar, row};
use crate::tx::Tx;

#[async_trait]
impl EventReads for Tx {
    async fn log_bounds(&mut self) -> Result<LogBounds, StoreError> {
        let row = fetch_one!(self, BoundsRow, "../store-shared/queries/log_bounds.sql")?;
        Ok(LogBounds {
            floor: row.floor_position,
            floor_hash: hash(row.floor_hash)?,
            head: row.head_position,
            head_hash: hash(row.head_hash)?,
        })
    }

    async fn log_seals(&mut self) -> Result<LogSeals, StoreError> {
        let row = fetch_one!(self, SealsRow, "../store-shared/queries/log_seals.sql")?;
        let start = match (row.keyed_position, row.keyed_hash, row.keyed_seal) {
            (Some(position), Some(of), Some(seal)) => Some(KeyedStart { position, hash: hash(of)?, seal }),
            _ => None,
        };
        Ok(LogSeals { start, floor: row.floor_seal })
    }

    async fn events_between(&mut self, after: i64, until: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let limit = i64::from(limit);
        let rows = fetch_all!(self, EventRow, "../store-shared/queries/events_between.sql", after, until, limit)?;
        Ok(rows.into_iter().map(event).collect())
    }

    async fn events_at(&mut self, positions: &[i64]) -> Result<Vec<Event>, StoreError> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let positions = serde_json::to_string(positions).map_err(broken)?;
        let rows = fetch_all!(self, EventRow, "queries/find_events_at.sql", positions)?;
        Ok(rows.into_iter().map(event).collect())
    }

    async fn nth_event(
        &mut self,
        filter: &RecordFilter,
        after: i64,
        until: i64,
        number: u32,
    ) -> Result<Option<i64>, StoreError> {
        let number = i64::from(number);
        match (filter.about.as_deref(), filter.actor) {
            (Some(about), _) => {
                fetch_optional_scalar!(self, i64, "queries/nth_event_about.sql", about, after, until, number)
            }
            (None, Some(actor)) => {
                fetch_optional_scalar!(self, i64, "queries/nth_event_by.sql", actor, after, until, number)
            }
            (None, None) => Ok(None),
        }
    }

    async fn find_events(
        &mut self,
        filter: &RecordFilter,
        after: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let limit = i64::from(limit);
        let kinds = filter.kinds.as_deref().map(kind_list).transpose()?;
        let kinds = kinds.as_deref();
        let from = filter.from.map_or(i64::MIN, Timestamp::as_micros);
        let before = filter.until.map_or(i64::MAX, Timestamp::as_micros);
        let (about, actor) = (filter.about.as_deref(), filter.actor);
        macro_rules! find {
            ($file:literal, $about:expr, $actor:expr) => {
                fetch_all!(self, EventRow, $file, after, until, limit, kinds, from, before, $about, $actor)
            };
        }
        let rows = match (about, actor) {
            (Some(about), actor) => find!("queries/find_events_about.sql", about, actor),
            (None, Some(actor)) => find!("queries/find_events_by.sql", about, actor),
            (None, None) => find!("queries/find_events.sql", about, actor),
        };
        Ok(rows?.into_iter().map(event).collect())
    }

    async fn first_event_since(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError> {
        fetch_optional_scalar!(self, i64, "queries/first_event_since.sql", moment.as_micros())
    }

    async fn deletions_to_pseudonymize(
        &mut self,
        before: Timestamp,
        after: DeletionKey,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let rows = fetch_all!(
            self,
            EventRow,
            "../store-shared/queries/deletions_to_pseudonymize.sql",
            before.as_micros(),
            after.occurred_at.as_micros(),
            after.position,
            i64::from(limit)
        )?;
        Ok(rows.into_iter().map(event).collect())
    }

    async fn last_event_before(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError> {
        fetch_optional_scalar!(self, i64, "queries/last_event_before.sql", moment.as_micros())
    }
}

#[async_trait]
impl EventWrites for Tx {
    fn record_event(&mut self, event: NewEvent) {
        if let Some(parent) = event.trace {
            self.push_trace((event.id.as_uuid(), parent, event.occurred_at.plus_seconds(trace::KEPT_S)));
        }
        self.push_event(event.unplaced());
    }

    async fn insert_ticket(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        let row = TicketRow::of(ticket);
        execute!(
            self,
            "../store-shared/queries/insert_ticket.sql",
            row.id,
            row.subject_kind,
            row.subject_id,
            row.credential_kind,
            row.credential_id,
            row.permissions,
            row.credential_expires_at,
            row.expires_at
        )
        .map(drop)
    }

    async fn take_ticket(&mut self, id: TicketId, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        let (id, now) = (id.as_uuid(), now.as_micros());
        let row = fetch_optional!(self, TicketRow, "../store-shared/queries/take_ticket.sql", id, now)?;
        Ok(row.and_then(TicketRow::ticket))
    }

    async fn purge_tickets(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        execute_bulk!(self, "queries/purge_tickets.sql", now.as_micros(), i64::from(limit))
    }

    async fn lock_log(&mut self) -> Result<LogBounds, StoreError> {
        self.lock_event_log().await?;
        self.log_bounds().await
    }

    async fn set_log_seals(&mut self, seals: &LogSeals) -> Result<(), StoreError> {
        let start = seals.start.as_ref();
        execute!(
            self,
            "../store-shared/queries/set_log_seals.sql",
            start.map(|start| start.position),
            start.map(|start| start.hash.as_slice()),
            start.map(|start| start.seal.as_slice()),
            seals.floor.as_deref()
        )
        .map(drop)
    }

    async fn erase_events(&mut self, erasures: &[Erasure]) -> Result<(), StoreError> {
        let row = |erasure: &Erasure| {
            let data = erasure.data.as_ref().map(|(_, data)| serde_json::to_string(data)).transpose()?;
            Ok(erasure.columns(data))
        };
        let rows: Result<Vec<_>, serde_json::Error> = erasures.iter().map(row).collect();
        let rows = rows.and_then(|rows| serde_json::to_string(&rows)).map_err(broken)?;
        execute_bulk!(self, "queries/erase_events.sql", rows).map(drop)
    }

    async fn remove_events(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        // Of two that remove, one waits here.
        let bounds = self.lock_log().await?;
        let seal = self.log_seals().await?.floor;
        let first = self.events_between(bounds.floor, i64::MAX, limit).await?;
        let old = first.iter().take_while(|event| event.occurred_at < before).count();
        let Some(last) = old.checked_sub(1).map(|last| &first[last]) else { return Ok(0) };
        let (position, hash) = (last.position, last.hash.as_slice());
        // A beginning that was moved without the key is not sealed by moving it on.
        let key = self.chain_key().filter(|key| seal.is_some_and(|seal| key.is_floor(&bounds, &seal)));
        let seal = key.map(|key| key.seal_floor(position, &last.hash).to_vec());
        execute_bulk!(self, "../store-shared/queries/delete_events.sql", position)?;
        execute!(self, "../store-shared/queries/move_log_floor.sql", position, hash, seal)?;
        Ok(old as u64)
    }
}

row! {
    /// A row of `queries/log_bounds.sql`.
    struct BoundsRow {
        floor_position: i64,
        floor_hash: Vec<u8>,
        head_position: i64,
        head_hash: Vec<u8>,
    }
}

row! {
    /// A row of `queries/log_seals.sql`.
    struct SealsRow {
        keyed_position: Option<i64>,
        keyed_hash: Option<Vec<u8>>,
        keyed_seal: Option<Vec<u8>>,
        floor_seal: Option<Vec<u8>>,
    }
}

/// Events as the JSON array that the statements which write them read.
pub(crate) fn rows_json(events: &[Event]) -> Result<String, StoreError> {
    let row = |event: &Event| Ok(event.columns(serde_json::to_string(&event.data)?));
    let rows: Result<Vec<_>, serde_json::Error> = events.iter().map(row).collect();
    rows.and_then(|rows| serde_json::to_string(&rows)).map_err(broken)
}

pub(crate) fn event(row: EventRow) -> Event {
    let data = serde_json::from_str(&row.data).ok();
    let is_ours = |data: &Object| serde_json::to_string(data).is_ok_and(|text| text == row.data);
    let data = data.filter(is_ours);
    row.event(data)
}

/// A stored hash.
pub(crate) fn hash(stored: Vec<u8>) -> Result<[u8; 32], StoreError> {
    stored.try_into().map_err(|_| broken("a hash of the log has not 32 bytes"))
}
