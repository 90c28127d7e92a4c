//! The log of events in PostgreSQL. A transaction writes what it did as pending; after its commit somebody, one at a time
//! over all nodes, gives it its place. So nobody waits for anybody to write, and no reader passes an event that is yet to
//! come.

use denizen_domain::events::Event;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::{EventRow, follow_on};
use denizen_domain::store::StoreError;
use sqlx::{query, query_file, query_file_as, query_file_scalar};
use tokio::sync::Mutex;

use crate::changes::{CHANNEL, EVENTS_CHANNEL};
use crate::error::store_error;
use crate::lend::{Lender, Lent};
use crate::shared::events::{event, hash, rows_json};

/// How many records are given their place by one transaction.
const SEALED_AT_ONCE_MAX: i64 = 1_000;

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
