//! The part of a list that is asked for.

use denizen_domain::page::{Page, Start};
use uuid::Uuid;

/// A page in terms that every list query shares.
pub(crate) struct Window {
    pub(crate) before_created_at: i64,
    pub(crate) before_id: Uuid,
    pub(crate) limit: i64,
    pub(crate) offset: i64,
}

/// How many rows to read in order to count up to a bound: one more shows that there are more.
pub(crate) fn count_limit(max: u64) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX).saturating_add(1)
}

impl From<Page> for Window {
    fn from(page: Page) -> Self {
        // Without a cursor the page begins before a place that is after all others.
        let (before_created_at, before_id, offset) = match page.start {
            Start::Offset(offset) => (i64::MAX, Uuid::max(), offset.into()),
            Start::After(position) => (position.created_at.as_micros(), position.id, 0),
        };
        Self { before_created_at, before_id, limit: page.limit.into(), offset }
    }
}
