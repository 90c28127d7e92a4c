//! Events that were committed and have no position yet. A reader gives them the positions that they will have, so that what
//! it reads is a whole log.

use denizen_domain::events::Event;
use denizen_domain::events::chain::ChainKey;
use denizen_domain::rows::{Cell, Row, Table};
use denizen_domain::store::StoreError;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::broken;
use crate::sequencer::sequence_pending;

/// The rows that pending events will have.
pub(super) struct Sequenced {
    pub(super) rows: Vec<Row>,
    /// The end of the log.
    head: Event,
}

impl Sequenced {
    /// Reads them as of the moment of the transaction; `None` if there are none.
    pub(super) async fn read(
        connection: &mut PgConnection,
        table: &Table,
        key: &ChainKey,
    ) -> Result<Option<Self>, StoreError> {
        let mut events = sequence_pending(connection, key).await?;
        let rows = events.iter().map(|event| row(table, event)).collect::<Result<_, _>>()?;
        Ok(events.pop().map(|head| Self { rows, head }))
    }

    /// Moves the end of the log in its row.
    pub(super) fn move_head(&self, table: &Table, row: &mut [Cell]) {
        let mut set = |column, cell| {
            if let Some(place) = table.column(column).and_then(|at| row.get_mut(at)) {
                *place = cell;
            }
        };
        set("head_position", Cell::Integer(self.head.position));
        set("head_hash", Cell::Bytes(self.head.hash.to_vec()));
    }
}

fn row(table: &Table, event: &Event) -> Result<Row, StoreError> {
    let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(text.to_owned()));
    let id = |id: Option<Uuid>| id.map_or(Cell::Null, |id| Cell::Bytes(id.as_bytes().to_vec()));
    let data = serde_json::to_string(&event.data).map_err(broken)?;
    let cell = |column: &String| {
        Some(match column.as_str() {
            "position" => Cell::Integer(event.position),
            "id" => id(Some(event.id.as_uuid())),
            "type" => text(Some(&event.kind)),
            "subject" => text(event.about.as_str()),
            "actor_type" => text(Some(event.actor.kind.as_str())),
            "actor_id" => id(event.actor.id),
            "credential_type" => text(event.actor.credential.map(|(kind, _)| kind.as_str())),
            "credential_id" => id(event.actor.credential.map(|(_, id)| id)),
            "address" => text(event.address.map(|address| address.to_string()).as_deref()),
            "user_agent" => text(event.user_agent.as_deref()),
            "occurred_at" => Cell::Integer(event.occurred_at.as_micros()),
            "data" => text(Some(&data)),
            "hash" => Cell::Bytes(event.hash.to_vec()),
            "form" => Cell::Integer(event.form.number()),
            "erased_origin" | "erased_data" => Cell::Null,
            _ => return None,
        })
    };
    let row: Option<Row> = table.columns.iter().map(cell).collect();
    row.ok_or_else(|| broken("a column of events is not known"))
}
