//! What can go wrong, as status, error code and text. The body is `{"error":…,"error_description":…}`.

use denizen_client::AuthError;
use domain::Invalid;
use serde::Serialize;
use utoipa::ToSchema;

/// An error of the API.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request is not authorized.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The input is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The request cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The body is too large.
    #[error("The body is too large.")]
    TooLarge,
    /// The body is not JSON.
    #[error("Send the body as application/json.")]
    UnsupportedMediaType,
    /// There is no such path.
    #[error("There is no such path.")]
    NoSuchPath,
    /// The path has no such method.
    #[error("The path does not have this method.")]
    NoSuchMethod,
    /// A use case failed.
    #[error("{}", .0)]
    UseCase(#[from] domain::Error),
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The error code.
    error: &'static str,
    /// What is wrong, in words.
    error_description: String,
}

impl ApiError {
    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.kind().0
    }

    /// The body. Failures of the service are logged, without details for the client.
    pub(crate) fn body(&self) -> ErrorBody {
        let (status, error) = self.kind();
        if status == 500 {
            tracing::error!(error = self as &dyn std::error::Error, "request failed");
            return ErrorBody { error, error_description: "Internal error.".to_owned() };
        }
        ErrorBody { error, error_description: self.to_string() }
    }

    fn kind(&self) -> (u16, &'static str) {
        match self {
            Self::Auth(error) => (error.status(), error.code()),
            Self::Invalid(_) | Self::Unreadable(_) => (400, "invalid_input"),
            Self::TooLarge => (413, "body_too_large"),
            Self::UnsupportedMediaType => (415, "unsupported_media_type"),
            Self::NoSuchPath | Self::UseCase(domain::Error::NotFound) => (404, "not_found"),
            Self::NoSuchMethod => (405, "method_not_allowed"),
            Self::UseCase(domain::Error::Store(_)) => (500, "internal"),
        }
    }
}
