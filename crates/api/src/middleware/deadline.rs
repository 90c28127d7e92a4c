//! A bound on the time of a request; what it was doing is dropped.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::time::timeout;

use crate::http::problem::Problem;

/// The answer, or 503 when it is not there in time.
pub(super) async fn within(timeout_s: u32, work: impl Future<Output = Result<Response, Problem>>) -> Response {
    let answer = timeout(Duration::from_secs(timeout_s.into()), work).await;
    answer.unwrap_or_else(|_| Err(too_long())).unwrap_or_else(Problem::into_response)
}

fn too_long() -> Problem {
    let message = "The request took too long and was canceled.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message).retry_after(1)
}
