//! Values in the forms that PostgreSQL takes and gives.

use denizen_domain::store::StoreError;
use denizen_domain::users::UserFilter;

use crate::shared::values::NAME_KEY_BYTES_MAX;

/// A small number as it is stored.
pub(crate) type Count = i32;

/// A small number to store; one that is too large is the largest.
pub(crate) fn count(number: u32) -> Count {
    Count::try_from(number).unwrap_or(Count::MAX)
}

/// A list of texts, as an array.
#[expect(clippy::unnecessary_wraps, reason = "the shared sources call it; the form of the other database can fail")]
pub(crate) fn text_list(texts: &[String]) -> Result<&[String], StoreError> {
    Ok(texts)
}

/// A list of types of events, as an array.
#[expect(clippy::unnecessary_wraps, reason = "the shared sources call it; the form of the other database can fail")]
pub(crate) fn kind_list(kinds: &[&str]) -> Result<Vec<String>, StoreError> {
    Ok(kinds.iter().map(|&kind| kind.to_owned()).collect())
}

/// The texts that begin with a prefix, as a half-open range.
pub(crate) struct PrefixRange {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl PrefixRange {
    /// The range that a filter asks for. Every text begins with the empty prefix.
    pub(crate) fn of(filter: &UserFilter) -> Option<Self> {
        let prefix = filter.prefix.as_deref().filter(|prefix| !prefix.is_empty())?;
        // PostgreSQL takes no U+0000 in text. No name contains it, nor the last code point: both match nothing.
        let from = prefix[..prefix.floor_char_boundary(NAME_KEY_BYTES_MAX)].replace('\0', "\u{10FFFF}");
        // The last code point sorts after whatever follows the prefix.
        let to = format!("{from}\u{10FFFF}");
        Some(Self { from, to })
    }
}
