//! Why a call failed.

use std::time::Duration;

use serde::Deserialize;

use crate::transport::TransportError;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The server refused the request.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// There was no response.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// There was no complete response in time.
    #[error("no complete response within {0:?}")]
    DeadlineExceeded(Duration),
    /// A response with this status is not from the API: of a proxy, for example.
    #[error("the response with status {0} is not one of the API")]
    UnexpectedResponse(u16),
    /// The response is larger than the limit.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The response cannot be read, or the request cannot be written.
    #[error("the JSON document is not as expected")]
    Json(#[from] serde_json::Error),
}

/// A refusal of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code}, status {status})")]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// A stable error code: see `docs/errors.md`.
    pub code: String,
    /// For people; may change between releases.
    pub message: String,
    /// The invalid fields, if the error concerns fields.
    pub fields: Vec<FieldError>,
    /// The id of the request, as in the log of the server.
    pub request_id: String,
    /// When to retry, if the response has `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FieldError {
    /// The path of the field in the request.
    pub field: String,
    /// A stable error code.
    pub code: String,
    /// The expected value.
    pub message: String,
}

impl ApiError {
    /// The refusal, if the server refused the request.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The error code of the server, if it refused the request.
    ///
    /// ```no_run
    /// # async fn example(api: denizen_client::api::Api, user: uuid::Uuid) {
    /// match api.users().get(user).await {
    ///     Err(error) if error.code() == Some("user_not_found") => println!("no such user"),
    ///     other => drop(other),
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code.as_str())
    }
}

#[derive(Deserialize)]
struct Document {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    code: String,
    message: String,
    request_id: String,
    #[serde(default)]
    fields: Vec<FieldError>,
}

/// The error in a response of this status.
pub(super) fn parse(status: u16, retry_after: Option<Duration>, body: &[u8]) -> ApiError {
    let Ok(Document { error }) = serde_json::from_slice(body) else { return ApiError::UnexpectedResponse(status) };
    let Detail { code, message, request_id, fields } = error;
    ApiError::Refused(Box::new(Refusal { status, code, message, fields, request_id, retry_after }))
}
