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
    #[error("{}", .0.body_text())]
    Body(#[from] JsonRejection),
    #[error("Internal error.")]
    Database(#[from] sqlx::Error),
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
            Self::Body(rejection) => body_error(rejection.status()),
            Self::Database(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "the database failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        (status, Json(json!({"error": code, "error_description": self.to_string()}))).into_response()
    }
}

/// The status and the error code for a body that Axum rejects with this status.
fn body_error(status: StatusCode) -> (StatusCode, &'static str) {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => (status, "body_too_large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (status, "unsupported_media_type"),
        // JSON that is no valid note: the same status as other invalid input.
        StatusCode::UNPROCESSABLE_ENTITY => (StatusCode::BAD_REQUEST, "invalid_input"),
        _ => (status, "invalid_input"),
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::body::{Body, to_bytes};
    use axum::extract::{DefaultBodyLimit, FromRequest, Request};
    use axum::response::IntoResponse;
    use serde_json::Value;

    use super::ApiError;
    use crate::notes::Draft;

    #[tokio::test]
    async fn bodies_are_refused_with_the_status_of_the_reason() {
        let large = format!(r#"{{"title":"{}"}}"#, "a".repeat(100));
        let cases = [
            ("application/json", large.as_str(), 413, "body_too_large"),
            ("text/plain", r#"{"title":"a"}"#, 415, "unsupported_media_type"),
            ("application/json", "{", 400, "invalid_input"),
            ("application/json", r#"{"title":""}"#, 400, "invalid_input"),
        ];
        for (content_type, body, status, code) in cases {
            let mut request =
                Request::post("/notes").header("content-type", content_type).body(Body::from(body.to_owned())).unwrap();
            DefaultBodyLimit::max(50).apply(&mut request);
            let rejection = Json::<Draft>::from_request(request, &()).await.unwrap_err();
            let response = ApiError::from(rejection).into_response();
            assert_eq!(response.status(), status, "{body}");
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"], code);
        }
    }
}
