//! How events get into PostgreSQL's log. A transaction writes its events as pending; the [sequencer](crate::sequencer) gives
//! them their positions after its commit. So writes do not wait for each other, and no reader passes an event that is yet to come.

use denizen_domain::events::Event;
use denizen_domain::events::chain::hexadecimal;
use denizen_domain::store::StoreError;

use crate::shared::events::rows_json;

/// The statement that writes events as pending, and what changed with them: the last one of a transaction, which travels with
/// its COMMIT. The only text in it that depends on the events is hexadecimal.
pub(crate) fn record(events: &[Event], changes: Option<&str>) -> Result<String, StoreError> {
    let rows = hexadecimal(rows_json(events)?.as_bytes());
    let changes = changes.map_or_else(|| "NULL".to_owned(), |changes| format!("'{changes}'"));
    Ok(format!("SELECT record_events(convert_from(decode('{rows}', 'hex'), 'UTF8'), {changes})"))
}
