//! Values in the forms that PostgreSQL takes and gives.

use denizen_domain::store::StoreError;

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
