//! Makes clones of an inner service cheap. For every request, each layer of axum clones the service inside it, and with it
//! all layers further inside: without this, the cost of nested layers is quadratic.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::util::Oneshot;
use tower::{Layer, Service, ServiceExt};

/// Goes inside another layer: `router.layer((another, ShareLayer))`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShareLayer;

/// A service that is cloned when it is called, not when its handle is cloned.
#[derive(Debug)]
pub(super) struct SharedService<S>(Arc<S>);

impl<S> Layer<S> for ShareLayer {
    type Service = SharedService<S>;

    fn layer(&self, inner: S) -> SharedService<S> {
        SharedService(Arc::new(inner))
    }
}

impl<S> Clone for SharedService<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R, S: Service<R> + Clone> Service<R> for SharedService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, R>;

    /// Always ready: the clone that is called waits for its own readiness.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Oneshot<S, R> {
        S::clone(&self.0).oneshot(request)
    }
}
