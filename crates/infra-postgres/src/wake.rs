//! Waking whoever sends mail, with the commit that wrote it.

use std::sync::Arc;

use tokio::sync::Notify;

/// What a transaction wrote to the outbox, to be told once it is committed.
pub(crate) struct Wake {
    waiting: Arc<Notify>,
    has_mail: bool,
}

impl Wake {
    pub(crate) fn nobody(waiting: &Arc<Notify>) -> Self {
        Self { waiting: Arc::clone(waiting), has_mail: false }
    }

    /// There is something to be told.
    pub(crate) fn note(&mut self) {
        self.has_mail = true;
    }

    /// Tells it. Whoever does not wait at this moment is told when they do.
    pub(crate) fn tell(&self) {
        if self.has_mail {
            self.waiting.notify_one();
        }
    }
}
