//! Keeps a provider that stalls from costing others anything: a bounded number of concurrent requests for each, and a
//! bounded time for all of a request.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use denizen_domain::providers::ProviderName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;

/// How many requests may be waiting for a provider.
pub(super) const CONCURRENT_MAX: usize = 32;
/// Above so many providers, those without requests are forgotten.
const PROVIDERS_MAX: usize = 256;

/// The requests that are waiting for each provider.
#[derive(Default)]
pub(super) struct ConcurrencyLimits(Mutex<HashMap<ProviderName, Arc<Semaphore>>>);

impl ConcurrencyLimits {
    /// Runs a request, unless too many are waiting for the provider.
    pub(super) async fn run<T>(
        &self,
        provider: &ProviderName,
        timeout: Duration,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let _permit = self.permit(provider)?;
        let outcome = tokio::time::timeout(timeout, request).await;
        outcome.unwrap_or_else(|_| Err(Failure::Unavailable("the provider did not answer in time".to_owned())))
    }

    fn permit(&self, provider: &ProviderName) -> Result<OwnedSemaphorePermit, Failure> {
        let mut semaphores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if semaphores.len() >= PROVIDERS_MAX && !semaphores.contains_key(provider) {
            semaphores.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        let semaphore = semaphores.entry(provider.clone()).or_insert_with(|| Arc::new(Semaphore::new(CONCURRENT_MAX)));
        let permit = Arc::clone(semaphore).try_acquire_owned();
        permit.map_err(|_| Failure::Unavailable(format!("{CONCURRENT_MAX} requests are waiting for the provider")))
    }
}
