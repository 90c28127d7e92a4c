//! The log of events in PostgreSQL. A transaction writes what it did as pending; after its commit somebody, one at a time
//! over all nodes, gives it its place. So nobody waits for anybody to write, and no reader passes an event that is yet to
//! come.

use async_trait::async_trait;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::{
    EventReads, EventRow, EventWrites, KeyedStart, LogBounds, LogSeals, RecordFilter, TicketRow, follow_on,
};
use denizen_domain::events::tickets::Ticket;
use denizen_domain::events::{Event, NewEvent};
use denizen_domain::id::TicketId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::value::Object;
use sqlx::{query, query_as, query_file, query_file_as, query_file_scalar};

use tokio::sync::Mutex;

use crate::changes::{CHANNEL, EVENTS_CHANNEL};
use crate::error::{broken, store_error};
use crate::lend::{Lender, Lent};
use crate::tx::PostgresTx;

/// How many records are given their place by one transaction.
const SEALED_AT_ONCE_MAX: i64 = 1_000;

#[async_trait]
impl EventReads for PostgresTx {
    async fn log_bounds(&mut self) -> Result<LogBounds, StoreError> {
        let query = query!("SELECT floor_position, floor_hash, head_position, head_hash FROM event_log");
        let row = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        Ok(LogBounds {
            floor: row.floor_position,
            floor_hash: hash(row.floor_hash)?,
            head: row.head_position,
            head_hash: hash(row.head_hash)?,
        })
    }

    async fn log_seals(&mut self) -> Result<LogSeals, StoreError> {
        let query = query!("SELECT keyed_position, keyed_hash, keyed_seal, floor_seal FROM event_log");
        let row = query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        let start = match (row.keyed_position, row.keyed_hash, row.keyed_seal) {
            (Some(position), Some(of), Some(seal)) => Some(KeyedStart { position, hash: hash(of)?, seal }),
            _ => None,
        };
        Ok(LogSeals { start, floor: row.floor_seal })
    }

    async fn events_between(&mut self, after: i64, until: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let query = query_file_as!(EventRow, "queries/events_between.sql", after, until, i64::from(limit));
        let rows = query.fetch_all(self.connection().await?).await.map_err(store_error)?;
        Ok(rows.into_iter().map(event).collect())
    }

    async fn find_events(
        &mut self,
        filter: &RecordFilter,
        after: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let limit = i64::from(limit);
        let kinds: Option<Vec<String>> =
            filter.kinds.as_ref().map(|kinds| kinds.iter().map(|&kind| kind.to_owned()).collect());
        let kinds = kinds.as_deref();
        let from = filter.from.map_or(i64::MIN, Timestamp::as_micros);
        let before = filter.until.map_or(i64::MAX, Timestamp::as_micros);
        let (about, actor) = (filter.about.as_deref(), filter.actor);
        macro_rules! find {
            ($file:literal, $about:expr, $actor:expr) => {
                query_file_as!(EventRow, $file, after, until, limit, kinds, from, before, $about, $actor)
                    .fetch_all(self.connection().await?)
                    .await
                    .map_err(store_error)?
            };
        }
        let rows = match (about, actor) {
            (Some(about), actor) => find!("queries/find_events_about.sql", about, actor as _),
            (None, Some(actor)) => find!("queries/find_events_by.sql", about as _, actor),
            (None, None) => find!("queries/find_events.sql", about as _, actor as _),
        };
        Ok(rows.into_iter().map(event).collect())
    }

    async fn first_event_since(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError> {
        let query = query_file_scalar!("queries/first_event_since.sql", moment.as_micros());
        query.fetch_optional(self.connection().await?).await.map_err(store_error)
    }

    async fn last_event_before(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError> {
        let query = query_file_scalar!("queries/last_event_before.sql", moment.as_micros());
        query.fetch_optional(self.connection().await?).await.map_err(store_error)
    }
}

#[async_trait]
impl EventWrites for PostgresTx {
    fn record_event(&mut self, event: NewEvent) {
        self.push_event(event.unplaced());
    }

    async fn insert_ticket(&mut self, ticket: &Ticket) -> Result<(), StoreError> {
        let row = TicketRow::of(ticket);
        let query = query!(
            "INSERT INTO event_tickets (id, subject_kind, subject_id, credential_kind, credential_id, permissions,
                credential_expires_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            row.id,
            row.subject_kind,
            row.subject_id,
            row.credential_kind,
            row.credential_id,
            row.permissions,
            row.credential_expires_at,
            row.expires_at
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn take_ticket(&mut self, id: TicketId, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        let (ticket_id, now) = (id.as_uuid(), now.as_micros());
        let query = query_as!(
            TicketRow,
            "DELETE FROM event_tickets WHERE id = $1 AND expires_at > $2
            RETURNING id, subject_kind, subject_id, credential_kind, credential_id, permissions,
                credential_expires_at, expires_at",
            ticket_id,
            now
        );
        let row = query.fetch_optional(self.connection().await?).await.map_err(store_error)?;
        Ok(row.and_then(TicketRow::ticket))
    }

    async fn purge_tickets(&mut self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let (now, limit) = (now.as_micros(), i64::from(limit));
        let query = query_file!("queries/purge_tickets.sql", now, limit);
        let done = query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    async fn lock_log(&mut self) -> Result<LogBounds, StoreError> {
        let query = query!("SELECT id FROM event_log WHERE id = 1 FOR UPDATE");
        query.fetch_one(self.connection().await?).await.map_err(store_error)?;
        self.log_bounds().await
    }

    async fn set_log_seals(&mut self, seals: &LogSeals) -> Result<(), StoreError> {
        let start = seals.start.as_ref();
        let position = start.map(|start| start.position);
        let (hash, seal) = (start.map(|start| start.hash.as_slice()), start.map(|start| start.seal.as_slice()));
        let floor = seals.floor.as_deref();
        let query = query!(
            "UPDATE event_log SET keyed_position = $1, keyed_hash = $2, keyed_seal = $3, floor_seal = $4 WHERE id = 1",
            position,
            hash,
            seal,
            floor
        );
        query.execute(self.connection().await?).await.map(drop).map_err(store_error)
    }

    async fn remove_events(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        // Of two who remove, one waits here.
        let bounds = self.lock_log().await?;
        let seal = self.log_seals().await?.floor;
        let first = self.events_between(bounds.floor, i64::MAX, limit).await?;
        let old = first.iter().take_while(|event| event.occurred_at < before).count();
        let Some(last) = old.checked_sub(1).map(|last| &first[last]) else { return Ok(0) };
        let (position, hash) = (last.position, last.hash.as_slice());
        // A beginning that was moved without the key is not sealed by moving it on.
        let key = self.chain_key().filter(|key| seal.is_some_and(|seal| key.is_floor(&bounds, &seal)));
        let seal = key.map(|key| key.seal_floor(position, &last.hash).to_vec());
        let query = query!("DELETE FROM events WHERE position <= $1", position);
        query.execute(self.connection().await?).await.map_err(store_error)?;
        let query = query!(
            "UPDATE event_log SET floor_position = $1, floor_hash = $2, floor_seal = $3 WHERE id = 1",
            position,
            hash,
            seal as _
        );
        query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(old as u64)
    }
}

/// Writes what happened, and tells other nodes what changed, as the last thing that a transaction does.
pub(crate) async fn record(connection: &mut Lent, events: &[Event], told: &str) -> Result<(), StoreError> {
    let query = query_file!("queries/record_events.sql", rows_json(events)?, CHANNEL, told);
    query.execute(connection).await.map(drop).map_err(store_error)
}

/// Gives everything that was committed by now its place, and says how much of it this one did. What is committed meanwhile
/// is not waited for.
pub(crate) async fn seal(lender: &Lender, key: Option<&ChainKey>, turn: &Mutex<()>) -> Result<u64, StoreError> {
    let last = query_file_scalar!("queries/last_pending_event.sql")
        .fetch_one(&mut lender.lend().await?)
        .await
        .map_err(store_error)?;
    let Some(last) = last else { return Ok(0) };
    // Of many on this node one takes a connection for it.
    let _turn = turn.lock().await;
    let mut sealed = 0;
    loop {
        let (count, reached) = seal_some(lender, key).await?;
        sealed += count;
        if reached.is_none_or(|reached| reached >= last) {
            return Ok(sealed);
        }
    }
}

/// Gives some their place, and says how many, and which of those that were pending was the last; none when none was.
async fn seal_some(lender: &Lender, key: Option<&ChainKey>) -> Result<(u64, Option<i64>), StoreError> {
    let mut transaction = lender.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
    // Whoever else does this, on whatever node, waits here. What was committed meanwhile is seen by the next statement.
    let query = query!("SELECT head_position, head_hash FROM event_log WHERE id = 1 FOR UPDATE");
    let head = query.fetch_one(&mut transaction).await.map_err(store_error)?;
    let query = query_file_as!(EventRow, "queries/list_pending_events.sql", SEALED_AT_ONCE_MAX);
    let rows = query.fetch_all(&mut transaction).await.map_err(store_error)?;
    let mut events: Vec<Event> = rows.into_iter().map(event).collect();
    let sequences: Vec<i64> = events.iter().map(|event| event.position).collect();
    follow_on(&mut events, key, head.head_position, hash(head.head_hash)?);
    let Some(last) = events.last() else { return Ok((0, None)) };
    let query = query_file!(
        "queries/seal_events.sql",
        rows_json(&events)?,
        &sequences,
        last.position,
        last.hash.as_slice(),
        EVENTS_CHANNEL
    );
    query.execute(&mut transaction).await.map_err(store_error)?;
    transaction.commit().await?;
    Ok((events.len() as u64, sequences.last().copied()))
}

fn rows_json(events: &[Event]) -> Result<String, StoreError> {
    let row = |event: &Event| Ok(event.columns(serde_json::to_string(&event.data)?));
    let rows: Result<Vec<_>, serde_json::Error> = events.iter().map(row).collect();
    rows.and_then(|rows| serde_json::to_string(&rows)).map_err(broken)
}

fn event(row: EventRow) -> Event {
    let data = serde_json::from_str(&row.data).ok();
    let is_ours = |data: &Object| serde_json::to_string(data).is_ok_and(|text| text == row.data);
    let data = data.filter(is_ours);
    row.event(data)
}

fn hash(stored: Vec<u8>) -> Result<[u8; 32], StoreError> {
    stored.try_into().map_err(|_| broken("a hash of the log has not 32 bytes"))
}
