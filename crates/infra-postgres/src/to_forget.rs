//! What a unit of work changed, until it is forgotten.

use std::sync::Arc;

use uuid::Uuid;

use crate::changes::Changes;
use crate::recent::Recent;

/// What a unit of work changed of what is remembered. Dropped as it is, nothing is forgotten: nothing was committed.
pub(crate) struct ToForget {
    pub(crate) recent: Arc<Recent>,
    /// What every node must know.
    pub(crate) told: Changes,
    /// What this node forgets, and others may notice seconds later.
    pub(crate) kept: Changes,
    /// Sessions that were over and are removed, no more than the caller wants removed at once.
    pub(crate) removed: Vec<Uuid>,
}

/// Forgets in the end, whatever became of the commit: it may have taken effect though nobody heard of it.
pub(crate) struct ForgetOnDrop(ToForget);

impl ToForget {
    /// Nothing yet.
    pub(crate) fn nothing(recent: &Arc<Recent>) -> Self {
        Self { recent: Arc::clone(recent), told: Changes::new(), kept: Changes::new(), removed: Vec::new() }
    }

    /// To be held while it is committed.
    pub(crate) fn forget_on_drop(self) -> ForgetOnDrop {
        ForgetOnDrop(self)
    }
}

impl Drop for ForgetOnDrop {
    fn drop(&mut self) {
        let ToForget { recent, told, kept, removed } = &self.0;
        for changes in [told, kept] {
            if *changes != Changes::new() {
                recent.forget(changes);
            }
        }
        for &id in removed {
            recent.remove_session(id);
        }
    }
}
