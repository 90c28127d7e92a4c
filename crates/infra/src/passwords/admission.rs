//! A fixed number of hashes at once, a bounded queue before them, and a deadline in it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::Block;
use denizen_domain::ports::HashError;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How much hashing is taken on.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// How many run at once.
    pub concurrency: u32,
    /// How many more may wait.
    pub queue: u32,
    /// How long one may wait.
    pub deadline: Duration,
}

pub(super) struct Admission {
    limits: AdmissionLimits,
    running: Arc<Semaphore>,
    waiting: Arc<AtomicU32>,
    /// Memory handed from a hash to the next one that waits; none is kept when nobody does.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Admission {
    pub(super) fn new(limits: AdmissionLimits) -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits.concurrency.max(1) as usize)),
            limits,
            waiting: Arc::default(),
            memory: Arc::default(),
        }
    }

    /// Runs the work on a blocking thread once it is admitted. A caller who leaves while waiting takes
    /// the work along unhashed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let permit = if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            permit
        } else {
            let _place = self.queue()?;
            timeout(self.limits.deadline, Arc::clone(&self.running).acquire_owned())
                .await
                .map_err(|_| self.overloaded())?
                .expect("the semaphore is never closed")
        };
        let pool = Arc::clone(&self.memory);
        let waiting = Arc::clone(&self.waiting);
        let task = tokio::task::spawn_blocking(move || {
            let mut memory = pool.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let done = work(&mut memory);
            let mut pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.load(Ordering::Relaxed) > 0 {
                pool.push(memory);
            } else {
                pool.clear();
            }
            drop(pool);
            drop(permit);
            done
        });
        task.await.map_err(|error| HashError::Failed(Box::new(error)))
    }

    fn queue(&self) -> Result<Place<'_>, HashError> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.limits.queue {
            return Err(self.overloaded());
        }
        Ok(place)
    }

    fn overloaded(&self) -> HashError {
        let deadline_s = u32::try_from(self.limits.deadline.as_secs()).unwrap_or(u32::MAX);
        HashError::Overloaded { retry_after_s: deadline_s.max(1) }
    }
}

/// A place in the queue, given back when it is left, however that happens.
struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
