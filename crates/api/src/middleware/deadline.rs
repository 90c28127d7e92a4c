//! A bound on the time of a request; what it was doing is dropped.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::time::timeout;

use crate::http::problem::Problem;

pub(super) async fn layer(State(timeout_s): State<u32>, request: Request, next: Next) -> Response {
    match timeout(Duration::from_secs(timeout_s.into()), next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "The request took too long and was given up.")
                .retry_after(1)
                .into_response()
        }
    }
}
