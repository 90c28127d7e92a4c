//! Values in the forms that SQLite takes and gives.

use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use uuid::Uuid;

use crate::error::broken;

/// How many uses are brought to the database by one statement.
pub(crate) const TOUCHED_AT_ONCE_MAX: usize = 500;
/// How many events are written by one statement.
pub(crate) const EVENT_ROWS_AT_ONCE_MAX: usize = 500;

/// A small number as it is stored.
pub(crate) type Count = i64;

/// A small number to store.
pub(crate) fn count(number: u32) -> Count {
    number.into()
}

/// A list of texts, as a JSON array.
pub(crate) fn text_list(texts: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(texts).map_err(broken)
}

/// A list of types of events, as a JSON array.
pub(crate) fn kind_list(kinds: &[&str]) -> Result<String, StoreError> {
    serde_json::to_string(kinds).map_err(broken)
}

/// When credentials were last used, as the JSON array of `[id in hexadecimal, moment]` that `queries/touch_*.sql` read.
pub(crate) fn uses_json(uses: impl Iterator<Item = (Uuid, Timestamp)>) -> Result<String, StoreError> {
    let pairs: Vec<_> = uses.map(|(id, at)| (id.simple().to_string(), at.as_micros())).collect();
    serde_json::to_string(&pairs).map_err(broken)
}
