//! Which requests with an idempotency key this node works on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

type Keys = Mutex<HashSet<[u8; 32]>>;

/// The keys of the requests that are being worked on. It refuses repetitions early; that a request is done once does not
/// depend on it. Each key is that of a running request, so there are no more than those.
#[derive(Default)]
pub(crate) struct Running(Arc<Keys>);

impl Running {
    /// Enters a key until what is returned is dropped; `None` when it is in already.
    pub(super) fn enter(&self, key: [u8; 32]) -> Option<Entered> {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        is_new.then(|| Entered { keys: Arc::clone(&self.0), key })
    }
}

/// A key that is in.
pub(super) struct Entered {
    keys: Arc<Keys>,
    key: [u8; 32],
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
