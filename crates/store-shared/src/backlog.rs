//! Work that is due.

use denizen_domain::store::Backlog;
use denizen_domain::time::Timestamp;

use crate::sql::row;

row! {
    /// What a query for the work that is due returns.
    pub(super) struct BacklogRow {
        pub(super) count: i64,
        pub(super) oldest: Option<i64>,
    }
}

impl BacklogRow {
    pub(super) fn backlog(self) -> Backlog {
        let oldest_due_at = self.oldest.map(Timestamp::from_micros);
        Backlog { count: self.count.try_into().unwrap_or_default(), oldest_due_at }
    }
}
