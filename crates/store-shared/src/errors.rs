//! The two kinds of errors of a store.

use denizen_domain::store::StoreError;

/// The database cannot be reached or cannot work at present.
pub(crate) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// The database returned an unexpected error or row.
pub(crate) fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Broken(error.into())
}
