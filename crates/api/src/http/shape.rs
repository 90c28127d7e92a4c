//! In which shape errors are written.

use super::oauth2;
use crate::middleware::Dialect;

/// In which shape an error is written.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// [`ErrorBody`].
    Own,
    /// That of RFC 6749 §5.2.
    OAuth,
    /// The status of a call over gRPC.
    Grpc(Dialect),
}

impl Shape {
    /// What whoever sends this expects.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Self {
        match Dialect::of(request.headers()) {
            Some(dialect) if request.method() == http::Method::POST => Self::Grpc(dialect),
            _ if oauth2::is_at(request.uri().path()) => Self::OAuth,
            _ => Self::Own,
        }
    }
}
