//! No more requests at once than we can carry: the rest is told to return, at once.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::is_exempt;
use crate::config::Limits;
use crate::http::problem::Problem;

#[derive(Clone)]
pub(super) struct Capacity(Arc<Semaphore>);

impl Capacity {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Semaphore::new(limits.concurrent_requests as usize)))
    }
}

pub(super) async fn layer(State(capacity): State<Capacity>, request: Request, next: Next) -> Response {
    if is_exempt(&request) {
        return next.run(request).await;
    }
    match capacity.0.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => Problem::overloaded(1).into_response(),
    }
}
