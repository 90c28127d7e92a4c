//! How events get their place in SQLite's log: one writes at a time, so that a record has its place when it is written.

use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::follow_on;
use denizen_domain::events::{Event, NewEvent};
use denizen_domain::store::StoreError;
use rusqlite::{Connection, params};
use sqlx::{SqliteConnection, query, query_file};

use crate::codec::EVENT_ROWS_AT_ONCE_MAX;
use crate::error::{broken, store_error};
use crate::group::execute;
use crate::shared::events::{hash, rows_json};

/// Where the log ended when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    position: i64,
    hash: [u8; 32],
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
