//! Search by prefix in an ordered index.

use denizen_domain::users::UserFilter;

use super::values::NAME_KEY_BYTES_MAX;

/// The texts that begin with a prefix, as a half-open range.
pub(crate) struct PrefixRange {
    pub(crate) from: String,
    pub(crate) to: String,
}

impl PrefixRange {
    /// The range of a filter; `None` if the filter has no prefix.
    pub(crate) fn of(filter: &UserFilter) -> Option<Self> {
        let prefix = filter.prefix.as_deref().filter(|prefix| !prefix.is_empty())?;
        // PostgreSQL does not accept U+0000 in text. No name contains it, nor the last code point: both find nothing.
        let from = prefix[..prefix.floor_char_boundary(NAME_KEY_BYTES_MAX)].replace('\0', "\u{10FFFF}");
        // The last code point sorts after every continuation of the prefix.
        let to = format!("{from}\u{10FFFF}");
        Some(Self { from, to })
    }
}
