//! A panic is one request's 500, not the connection's end.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::http::problem::Problem;

/// The answer, or a 500 for the panic on the way to it.
pub(super) async fn catch(work: impl Future<Output = Response>) -> Response {
    // What a panicked request leaves behind is dropped with it; what outlives it keeps its own invariants.
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        tracing::error!(panic = text_of(panic.as_ref()), "request handler panicked");
        Problem::internal().into_response()
    })
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of unknown form")
}
