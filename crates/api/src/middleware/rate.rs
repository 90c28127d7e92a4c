//! A budget of requests per client address.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use denizen_domain::ports::Clock;
use denizen_infra::clock::SystemClock;
use denizen_infra::throttle::{Budget, Throttle};

use super::address::ClientAddress;
use super::is_exempt;
use crate::config::Limits;
use crate::http::problem::Problem;

#[derive(Clone)]
pub(super) struct Limiter(Option<Arc<Throttle>>);

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        let budget = Budget { per_period: limits.address_per_second, period_s: 1, burst: limits.address_burst };
        Self(Throttle::new(budget).map(Arc::new))
    }
}

pub(super) async fn layer(State(limiter): State<Limiter>, request: Request, next: Next) -> Response {
    if let Some(throttle) = limiter.0.filter(|_| !is_exempt(&request)) {
        let client = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
        if let Err(error) = throttle.admit(client.map(budget_of), SystemClock.now()) {
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
