//! Lets a layer clone what is inside it at the cost of a counter. The layers of axum clone their inside for every request,
//! and with it all layers further inside: without this, the cost of nested layers is quadratic.

use std::sync::Arc;
use std::task::{Context, Poll};

use tower::util::Oneshot;
use tower::{Layer, Service, ServiceExt};

/// Put inside another layer: `router.layer((another, ShareLayer))`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShareLayer;

/// A service that is cloned when it is called, not when its handle is cloned.
#[derive(Debug)]
pub(super) struct Shared<S>(Arc<S>);

impl<S> Layer<S> for ShareLayer {
    type Service = Shared<S>;

    fn layer(&self, inner: S) -> Shared<S> {
        Shared(Arc::new(inner))
    }
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R, S: Service<R> + Clone> Service<R> for Shared<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, R>;

    /// Always: the clone that is called waits until it is ready.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Oneshot<S, R> {
        S::clone(&self.0).oneshot(request)
    }
}
