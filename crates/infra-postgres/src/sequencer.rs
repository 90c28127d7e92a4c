//! Positions in the log of events. A transaction writes its events as pending; after its commit they are moved into the log
//! under the next positions, many at once.
//!
//! This takes two statements and no explicit transaction. The first reads the pending events and where the log ends, as of
//! one moment. The second moves them if the log still ends there. Only assigning positions moves the end of the log and
//! removes pending events, so an unchanged end means that the events are still pending: none gets two positions, and the
//! loser of a race between two nodes changes nothing and reads again. A caller that dies in between leaves the events
//! pending for the next one, on any node.

use std::sync::{Arc, OnceLock};

use denizen_domain::events::chain::ChainKey;
use denizen_domain::events::store::{EventRow, follow_on};
use denizen_domain::events::{Event, RecordForm};
use denizen_domain::store::StoreError;
use sqlx::{PgConnection, query_file, query_file_as};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::changes::{CHANNEL, Changes, EVENTS_CHANNEL};
use crate::error::store_error;
use crate::lend::Lender;
use crate::recent::Recent;
use crate::shared::events::{event, hash, rows_json};

/// How many events get their positions by one statement.
const EVENTS_AT_ONCE_MAX: i64 = 1_000;

/// Assigns positions, one caller at a time on this node.
pub(crate) struct Sequencer {
    lender: Lender,
    recent: Arc<Recent>,
    chain_key: Arc<OnceLock<ChainKey>>,
    is_working: Mutex<()>,
}

/// Pending events, the first of them first, and where the log ended when they were read.
struct Pending {
    events: Vec<Event>,
    sequences: Vec<i64>,
    changes: Vec<Changes>,
    head: i64,
    head_hash: [u8; 32],
    /// The last pending event, which need not be among these.
    last_sequence: i64,
}

impl Sequencer {
    pub(crate) fn new(lender: &Lender, recent: &Arc<Recent>, chain_key: &Arc<OnceLock<ChainKey>>) -> Self {
        let (recent, chain_key) = (Arc::clone(recent), Arc::clone(chain_key));
        Self { lender: lender.clone(), recent, chain_key, is_working: Mutex::default() }
    }

    /// Gives every event that was committed before this call its position, and returns how many events it moved. Events
    /// that are committed meanwhile are not waited for.
    pub(crate) async fn assign_positions(&self) -> Result<u64, StoreError> {
        let Some(mut pending) = self.read_pending().await? else { return Ok(0) };
        let last = pending.last_sequence;
        let _working = if let Ok(working) = self.is_working.try_lock() {
            working
        } else {
            let working = self.is_working.lock().await;
            // The caller before has moved most of what was read, if not all.
            let Some(read_again) = self.read_pending().await? else { return Ok(0) };
            pending = read_again;
            working
        };
        let mut moved = 0;
        while pending.sequences.first().is_some_and(|&first| first <= last) {
            let (count, reached) = (pending.events.len() as u64, pending.sequences.last().copied());
            if self.move_to_log(pending).await? {
                moved += count;
                if reached >= Some(last) {
                    break;
                }
            }
            let Some(read_again) = self.read_pending().await? else { break };
            pending = read_again;
        }
        Ok(moved)
    }

    async fn read_pending(&self) -> Result<Option<Pending>, StoreError> {
        let query = query_file_as!(PendingRow, "queries/list_pending_events.sql", EVENTS_AT_ONCE_MAX);
        let rows = query.fetch_all(&mut self.lender.lend_to_read().await?).await.map_err(store_error)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let (head, head_hash) = (first.head_position, hash(first.head_hash.clone())?);
        let last_sequence = first.last_sequence;
        let sequences = rows.iter().map(|row| row.sequence).collect();
        let changes = rows.iter().filter_map(|row| row.changes.as_deref()).map(Changes::parse).collect();
        let events = rows.into_iter().map(|row| event(row.into())).collect();
        Ok(Some(Pending { events, sequences, changes, head, head_hash, last_sequence }))
    }

    /// Moves events into the log, unless another node did it since they were read.
    async fn move_to_log(&self, pending: Pending) -> Result<bool, StoreError> {
        let Pending { mut events, sequences, changes, head, head_hash, .. } = pending;
        follow_on(&mut events, self.chain_key.get(), head, head_hash);
        let Some(last) = events.last() else { return Ok(false) };
        let notices = Changes::payloads(&changes);
        // In this order: a node removes what changed from its read cache before it reads the events.
        let mut channels = vec![CHANNEL.to_owned(); notices.len()];
        channels.push(EVENTS_CHANNEL.to_owned());
        let payloads = [notices, vec![last.position.to_string()]].concat();
        let query = query_file!(
            "queries/assign_positions.sql",
            rows_json(&events)?,
            &sequences,
            last.position,
            last.hash.as_slice(),
            head,
            head_hash.as_slice(),
            &channels,
            &payloads
        );
        let done = query.execute(&mut self.lender.lend().await?).await.map_err(store_error)?;
        let is_moved = done.rows_affected() > 0;
        if is_moved {
            // This node reads the events at once, and the notification may take a moment longer.
            for changes in &changes {
                self.recent.forget(changes);
            }
        }
        Ok(is_moved)
    }
}

/// All pending events, with the positions and hashes that they would get now. Moves none of them.
pub(crate) async fn sequence_pending(connection: &mut PgConnection, key: &ChainKey) -> Result<Vec<Event>, StoreError> {
    let query = query_file_as!(PendingRow, "queries/list_pending_events.sql", i64::MAX);
    let pending = query.fetch_all(connection).await.map_err(store_error)?;
    let Some(first) = pending.first() else { return Ok(Vec::new()) };
    let (head, head_hash) = (first.head_position, hash(first.head_hash.clone())?);
    let mut events: Vec<_> = pending.into_iter().map(|row| event(row.into())).collect();
    follow_on(&mut events, Some(key), head, head_hash);
    Ok(events)
}

/// A row of `queries/list_pending_events.sql`.
struct PendingRow {
    sequence: i64,
    id: Uuid,
    kind: String,
    about: Option<String>,
    actor_kind: String,
    actor_id: Option<Uuid>,
    credential_kind: Option<String>,
    credential_id: Option<Uuid>,
    address: Option<String>,
    user_agent: Option<String>,
    occurred_at: i64,
    data: String,
    changes: Option<String>,
    head_position: i64,
    head_hash: Vec<u8>,
    last_sequence: i64,
}

impl From<PendingRow> for EventRow {
    fn from(row: PendingRow) -> Self {
        Self {
            position: 0,
            id: row.id,
            kind: row.kind,
            about: row.about,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            credential_kind: row.credential_kind,
            credential_id: row.credential_id,
            address: row.address,
            user_agent: row.user_agent,
            occurred_at: row.occurred_at,
            data: row.data,
            hash: Vec::new(),
            form: RecordForm::Whole.number(),
            erased_origin: None,
            erased_data: None,
        }
    }
}
