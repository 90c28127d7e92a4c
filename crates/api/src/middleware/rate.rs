//! A budget of requests per client address.

use std::sync::Arc;

use denizen_domain::ports::Clock;
use denizen_infra::throttle::{Budget, Throttle};

use super::address::ClientAddress;
use crate::config::Limits;
use crate::http::problem::Problem;

/// The budgets of all addresses; none when there is no limit.
pub(super) struct Budgets {
    throttle: Option<Throttle>,
    clock: Arc<dyn Clock>,
}

impl Budgets {
    pub(super) fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let budget = Budget { per_period: limits.address_per_second, period_s: 1, burst: limits.address_burst };
        Self { throttle: Throttle::new(budget), clock }
    }

    /// Takes one from the client's budget.
    pub(super) fn admit(&self, client: ClientAddress) -> Result<(), Problem> {
        let Some(throttle) = &self.throttle else { return Ok(()) };
        Ok(throttle.admit(client.key(), self.clock.now())?)
    }
}
