//! A budget of requests per client address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use denizen_infra::throttle::Throttle;

use super::address::ClientAddress;
use super::is_exempt;
use crate::config::Limits;
use crate::http::problem::Problem;

#[derive(Clone)]
pub(super) struct Limiter(Option<Arc<Throttle>>);

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Throttle::new(limits.address_per_second, Duration::from_secs(1), limits.address_burst).map(Arc::new))
    }
}

pub(super) async fn layer(State(limiter): State<Limiter>, request: Request, next: Next) -> Response {
    if let Some(throttle) = limiter.0.filter(|_| !is_exempt(&request)) {
        let client = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
        if let Err(error) = throttle.admit(client.map(budget_of)) {
            return Problem::from(error).into_response();
        }
    }
    next.run(request).await
}

/// An IPv6 customer has a /64 of addresses: they share one budget.
fn budget_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or(u64::MAX),
    }
}
