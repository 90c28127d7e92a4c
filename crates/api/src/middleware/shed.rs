//! No more requests at once than we can carry: the rest is told to return, at once.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::Limits;
use crate::http::problem::Problem;

/// The room there is.
pub(crate) struct Capacity(Semaphore);

impl Capacity {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Semaphore::new(limits.concurrent_requests as usize))
    }

    /// A place, for as long as it is held.
    pub(super) fn enter(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.0.try_acquire().map_err(|_| Problem::overloaded(1))
    }
}
