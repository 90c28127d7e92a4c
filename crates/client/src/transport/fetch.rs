//! Fetches a small document, with limits on everything.

use std::time::Duration;

use super::{Request, Response, Transport, TransportError};

/// Larger than the metadata and the JWK Set of any issuer.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
const MEDIA_TYPES: [&str; 2] = ["application/json", "application/jwk-set+json"];

/// Why a document was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("no complete response within {0:?}")]
    TimedOut(Duration),
    #[error("the response has status {0}")]
    Status(u16),
    #[error("the response is not JSON")]
    MediaType,
    #[error("the response is larger than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge,
}

/// Fetches a JSON document. The time limit applies to all of it, so a slow or endless response ends, too.
pub(crate) async fn fetch(transport: &dyn Transport, url: &str, timeout: Duration) -> Result<Vec<u8>, FetchError> {
    let fetching = async {
        let response = transport.send(Request::get(url, "application/json")).await?;
        read(response).await
    };
    tokio::time::timeout(timeout, fetching).await.unwrap_or(Err(FetchError::TimedOut(timeout)))
}

async fn read(mut response: Response) -> Result<Vec<u8>, FetchError> {
    if response.status != 200 {
        return Err(FetchError::Status(response.status));
    }
    if !response.has_media_type(&MEDIA_TYPES) {
        return Err(FetchError::MediaType);
    }
    let mut document = Vec::new();
    while let Some(chunk) = response.body.chunk().await? {
        if document.len() + chunk.len() > DOCUMENT_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        document.extend_from_slice(&chunk);
    }
    Ok(document)
}
