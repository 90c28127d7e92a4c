//! Waking whoever sends mail or reads the log, with the commit that wrote it.

use std::sync::Arc;

use tokio::sync::Notify;

/// Those who wait for what is committed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    /// For mail.
    pub(crate) mail: Arc<Notify>,
    /// For events.
    pub(crate) events: Arc<Notify>,
}

/// What a transaction wrote, to be told once it is committed.
pub(crate) struct Wake {
    waiting: Waiting,
    has_mail: bool,
    has_events: bool,
}

impl Wake {
    pub(crate) fn nobody(waiting: &Waiting) -> Self {
        Self { waiting: waiting.clone(), has_mail: false, has_events: false }
    }

    /// There is mail.
    pub(crate) fn note_mail(&mut self) {
        self.has_mail = true;
    }

    /// There are events.
    pub(crate) fn note_events(&mut self) {
        self.has_events = true;
    }

    /// Tells it. Whoever does not wait at this moment is told when they do.
    pub(crate) fn tell(&self) {
        if self.has_mail {
            self.waiting.mail.notify_one();
        }
        if self.has_events {
            self.waiting.events.notify_one();
        }
    }
}
