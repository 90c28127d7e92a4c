//! Stored values to those of the domain and back, where both databases store the same.

use denizen_domain::id::UserId;
use denizen_domain::store::StoreError;
use denizen_domain::time::Timestamp;
use denizen_domain::users::{Attributes, DisplayName, Status, UserFilter, search_key};

use crate::error::broken;
use crate::sql::row_not_found;

/// How much of a name is searched, in bytes: PostgreSQL indexes no more than 2,704 of them.
pub(crate) const NAME_KEY_BYTES_MAX: usize = 1_024;

/// How many users or passwords are added or found by one statement.
pub(crate) const ROWS_AT_ONCE_MAX: usize = 250;

/// Ids as the JSON array that statements over many rows take.
pub(crate) fn ids_json(ids: &[UserId]) -> Result<String, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid().simple().to_string()).collect();
    serde_json::to_string(&ids).map_err(broken)
}

/// Rows as the JSON array that statements over many rows take.
pub(crate) fn rows_json<T: serde::Serialize>(rows: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(broken)
}

/// Bytes in hexadecimal, for a row of such an array.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Fails when a change met no row.
pub(crate) fn require_row(changed: u64) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(row_not_found()) }
}

/// Reads the stored name of a status.
pub(crate) fn status(stored: &str) -> Result<Status, StoreError> {
    Status::parse(stored).ok_or_else(|| broken(format!("the stored status {stored:?} is unknown")))
}

/// The text form of attributes.
pub(crate) fn attributes_json(attributes: &Attributes) -> Result<String, StoreError> {
    serde_json::to_string(attributes.as_object()).map_err(broken)
}

/// Reads stored attributes. Most users have none.
pub(crate) fn attributes(stored: &str) -> Result<Attributes, StoreError> {
    if stored == "{}" {
        return Ok(Attributes::default());
    }
    serde_json::from_str(stored).map(Attributes::from_stored).map_err(broken)
}

/// The form of a name that is searched.
pub(crate) fn name_key(name: &DisplayName) -> String {
    let mut key = search_key(name.as_str());
    key.truncate(key.floor_char_boundary(NAME_KEY_BYTES_MAX));
    key
}

/// The lower bound of a list of users; before every moment when there is none.
pub(crate) fn created_after(filter: &UserFilter) -> i64 {
    filter.created_after.map_or(i64::MIN, Timestamp::as_micros)
}
