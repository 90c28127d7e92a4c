//! What can go wrong, and the responses.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use denizen_client::AuthError;
use serde_json::json;

/// An error of the API. The body is `{"error":…,"error_description":…}`, as that of refusals.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("There is no such note.")]
    NotFound,
    #[error("{0}")]
    Invalid(String),
    #[error("Internal error.")]
    Database(#[from] sqlx::Error),
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Invalid(rejection.body_text())
    }
}

/// A path whose id is not a UUID leads to no note.
impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::NotFound
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            // With the challenge, which clients need to sign in or to step up.
            Self::Auth(error) => return error.clone().into_response(),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_input"),
            Self::Database(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "the database failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        (status, Json(json!({"error": code, "error_description": self.to_string()}))).into_response()
    }
}
