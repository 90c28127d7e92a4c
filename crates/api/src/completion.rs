//! Work that must not stop halfway.

use denizen_domain::error::{Error, Result};
use tracing::Instrument;

/// Runs a use case to its end, even if the client disconnects or its deadline passes: a refresh token of a provider that was
/// used must be replaced.
pub(crate) async fn to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work.in_current_span()).await.map_err(|error| Error::Internal(Box::new(error)))?
}
