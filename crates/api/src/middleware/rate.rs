//! A budget of requests per client address.

use std::net::IpAddr;

use denizen_domain::ports::Clock;
use denizen_infra::clock::SystemClock;
use denizen_infra::throttle::{Budget, Throttle};

use super::address::ClientAddress;
use crate::config::Limits;
use crate::http::problem::Problem;

/// The budgets of all addresses; none when there is no limit.
pub(super) struct Budgets(Option<Throttle>);

impl Budgets {
    pub(super) fn new(limits: &Limits) -> Self {
        let budget = Budget { per_period: limits.address_per_second, period_s: 1, burst: limits.address_burst };
        Self(Throttle::new(budget))
    }

    /// Takes one from the client's budget.
    pub(super) fn admit(&self, client: ClientAddress) -> Result<(), Problem> {
        let Some(throttle) = &self.0 else { return Ok(()) };
        Ok(throttle.admit(client.0.map(budget_of), SystemClock.now())?)
    }
}

/// An IPv6 customer has a /64 of addresses: they share one budget.
fn budget_of(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or(u64::MAX),
    }
}
