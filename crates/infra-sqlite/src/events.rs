//! The log of events in SQLite: one writes at a time, so that a record has its place when it is written.

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
use rusqlite::{Connection, params};
use sqlx::{SqliteConnection, query, query_as, query_file, query_file_as};
use uuid::Uuid;

use crate::codec::EVENT_ROWS_AT_ONCE_MAX;
use crate::error::{broken, store_error};
use crate::group::execute;
use crate::tx::SqliteTx;

/// Where the log ended when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    position: i64,
    hash: [u8; 32],
}

#[async_trait]
impl EventReads for SqliteTx {
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
        let query = query_file_as!(EventRow, "queries/events_between.sql", after, until, limit);
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
        let kinds = filter.kinds.as_ref().map(serde_json::to_string).transpose().map_err(broken)?;
        let from = filter.from.map_or(i64::MIN, Timestamp::as_micros);
        let before = filter.until.map_or(i64::MAX, Timestamp::as_micros);
        let (about, actor) = (&filter.about, filter.actor);
        macro_rules! find {
            ($file:literal) => {
                query_file_as!(EventRow, $file, after, until, limit, kinds, from, before, about, actor)
                    .fetch_all(self.connection().await?)
                    .await
                    .map_err(store_error)?
            };
        }
        let rows = match (about, actor) {
            (Some(_), _) => find!("queries/find_events_about.sql"),
            (None, Some(_)) => find!("queries/find_events_by.sql"),
            (None, None) => find!("queries/find_events.sql"),
        };
        Ok(rows.into_iter().map(event).collect())
    }

    async fn first_event_since(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError> {
        let moment = moment.as_micros();
        let query = sqlx::query_file_scalar!("queries/first_event_since.sql", moment);
        query.fetch_optional(self.connection().await?).await.map_err(store_error)
    }

    async fn last_event_before(&mut self, moment: Timestamp) -> Result<Option<i64>, StoreError> {
        let moment = moment.as_micros();
        let query = sqlx::query_file_scalar!("queries/last_event_before.sql", moment);
        query.fetch_optional(self.connection().await?).await.map_err(store_error)
    }
}

#[async_trait]
impl EventWrites for SqliteTx {
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
            r#"DELETE FROM event_tickets WHERE id = $1 AND expires_at > $2
            RETURNING id AS "id: Uuid", subject_kind, subject_id AS "subject_id: Uuid", credential_kind,
                credential_id AS "credential_id: Uuid", permissions, credential_expires_at, expires_at"#,
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
        // One writes at a time.
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
        let bounds = self.log_bounds().await?;
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
        let query =
            query!("UPDATE event_log SET floor_position = $1, floor_hash = $2, floor_seal = $3", position, hash, seal);
        query.execute(self.connection().await?).await.map_err(store_error)?;
        Ok(old as u64)
    }
}

/// Writes records at the end of the log, as the last thing that a transaction does. Where it ended when it was last seen
/// is tried first: that is so unless another process wrote meanwhile.
pub(crate) async fn append(
    connection: &mut SqliteConnection,
    events: &mut [Event],
    key: Option<&ChainKey>,
    seen: Option<Head>,
) -> Result<Option<Head>, StoreError> {
    let mut head = seen;
    for events in events.chunks_mut(EVENT_ROWS_AT_ONCE_MAX) {
        let is_written = match head {
            Some(head) => insert(connection, events, key, head).await?,
            None => false,
        };
        if !is_written {
            let query = query!("SELECT head_position, head_hash FROM event_log");
            let row = query.fetch_one(&mut *connection).await.map_err(store_error)?;
            let now = Head { position: row.head_position, hash: hash(row.head_hash)? };
            if !insert(connection, events, key, now).await? {
                return Err(broken("the log of events moved under the one who writes it"));
            }
        }
        head = events.last().map(Head::of);
    }
    Ok(head)
}

async fn insert(
    connection: &mut SqliteConnection,
    events: &mut [Event],
    key: Option<&ChainKey>,
    head: Head,
) -> Result<bool, StoreError> {
    follow_on(events, key, head.position, head.hash);
    let rows = rows_json(events)?;
    let hash = head.hash.as_slice();
    let query = query_file!("queries/append_events.sql", rows, hash);
    let done = query.execute(connection).await.map_err(store_error)?;
    Ok(done.rows_affected() > 0)
}

/// The same in a [group](crate::group).
pub(crate) fn append_in(connection: &Connection, key: Option<&ChainKey>, event: NewEvent) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached("SELECT head_position, head_hash FROM event_log")?;
    let head = statement.query_row([], |row| Ok(Head { position: row.get(0)?, hash: row.get(1)? }))?;
    let mut events = [event.unplaced()];
    follow_on(&mut events, key, head.position, head.hash);
    let rows = rows_json(&events).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    execute(connection, include_str!("../queries/append_events.sql"), params![rows, head.hash.as_slice()])
}

impl Head {
    fn of(event: &Event) -> Self {
        Self { position: event.position, hash: event.hash }
    }
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
