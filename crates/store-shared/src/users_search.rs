//! Searches for users by the beginning of their address or name.
//!
//! Three indexes can answer: the keys that begin with the prefix, all of which must be read and sorted; the users with the
//! first character of the prefix, in the order of the list, read until the page is full; and the users with the role and the
//! status asked for, in the same order. Which of them reads the fewest rows depends on the data. So all are read up to a
//! bound, which is raised until one of them has the whole page: the cost is at most a constant multiple of the cheapest.

use denizen_domain::page::Count;
use denizen_domain::store::StoreError;
use uuid::Uuid;

use super::page::Window;
use super::prefix::PrefixRange;
use super::users::UserRow;
use crate::sql::{fetch_all, fetch_one, fetch_scalar, row};
use crate::tx::Tx;

/// How many rows of an index the first stage reads.
const FIRST_STAGE_ROWS_MAX: i64 = 256;
/// How many times as many rows each further stage reads.
const STAGE_GROWTH: i64 = 8;

/// What to search for, and which page of it.
pub(crate) struct Search<'a> {
    pub(crate) window: Window,
    /// Only users created after this moment.
    pub(crate) since: i64,
    /// The beginnings that match, as a half-open range.
    pub(crate) range: &'a PrefixRange,
    pub(crate) role: Option<&'a str>,
    pub(crate) status: Option<&'a str>,
}

/// A position in the list.
#[derive(Clone, Copy)]
struct Position {
    created_at: i64,
    id: Uuid,
}

row! {
    /// How many rows of each index are candidates, counted up to one more than the bound of the stage: `matches`, addresses
    /// and names that begin with the prefix; `narrowed`, users with the role and the status, if either is asked for.
    struct Candidates {
        matches: i64,
        narrowed: Option<i64>,
        end_created_at: Option<i64>,
        end_id: Option<Uuid>,
    }
}

row! {
    /// How many of the matches that were read pass the other filters, and how many were read.
    struct Counted {
        found: i64,
        read: i64,
    }
}

impl Candidates {
    /// Where the bound is reached among the users with the first character of the prefix; `None` if they are fewer.
    fn end(&self) -> Option<Position> {
        Some(Position { created_at: self.end_created_at?, id: self.end_id? })
    }
}

impl Search<'_> {
    fn from(&self) -> &str {
        &self.range.from
    }

    fn to(&self) -> &str {
        &self.range.to
    }

    /// The position before which every user was created after [`Self::since`].
    fn oldest(&self) -> Position {
        Position { created_at: self.since, id: Uuid::max() }
    }

    /// Whether every user with the first character of the prefix matches.
    fn matches_all_with_initial(&self) -> bool {
        self.from().chars().nth(1).is_none() && self.role.is_none() && self.status.is_none()
    }

    /// The rows of the page.
    pub(crate) async fn page(&self, tx: &mut Tx) -> Result<Vec<UserRow>, StoreError> {
        if self.matches_all_with_initial() {
            return self.list_by_initial(tx, self.oldest()).await;
        }
        let mut rows_max = FIRST_STAGE_ROWS_MAX;
        loop {
            let candidates = self.count_candidates(tx, rows_max).await?;
            if candidates.matches <= rows_max {
                return self.list_matches(tx).await;
            }
            if candidates.narrowed.is_some_and(|narrowed| narrowed <= rows_max) {
                return self.list_narrowed(tx).await;
            }
            let Some(end) = candidates.end() else {
                return self.list_by_initial(tx, self.oldest()).await;
            };
            let rows = self.list_by_initial(tx, end).await?;
            if i64::try_from(rows.len()).is_ok_and(|found| found >= self.window.limit) {
                return Ok(rows);
            }
            rows_max = rows_max.saturating_mul(STAGE_GROWTH);
        }
    }

    /// How many users match, counted by reading fewer than `limit` rows, or else a lower bound.
    pub(crate) async fn count(&self, tx: &mut Tx, limit: i64) -> Result<Count, StoreError> {
        if self.role.is_none() && self.status.is_none() && self.since == i64::MIN {
            let counted = fetch_scalar!(tx, i64, "queries/count_users_by_prefix.sql", limit, self.from(), self.to())?;
            return Ok(Count::up_to(limit.cast_unsigned() - 1, counted.cast_unsigned()));
        }
        let candidates = self.count_candidates(tx, limit - 1).await?;
        if candidates.narrowed.is_some_and(|narrowed| narrowed < limit && narrowed < candidates.matches) {
            return self.count_narrowed(tx).await.map(|found| Count::Exactly(found.cast_unsigned()));
        }
        let Counted { found, read } = fetch_one!(
            tx,
            Counted,
            "queries/count_users_by_prefix_narrowed.sql",
            limit,
            self.from(),
            self.to(),
            self.since,
            self.role,
            self.status
        )?;
        let found = found.cast_unsigned();
        Ok(if read < limit { Count::Exactly(found) } else { Count::AtLeast(found) })
    }

    /// How many of the users with the role and the status match.
    async fn count_narrowed(&self, tx: &mut Tx) -> Result<i64, StoreError> {
        fetch_scalar!(
            tx,
            i64,
            "queries/count_users_narrowed_by_prefix.sql",
            self.from(),
            self.to(),
            self.since,
            self.role,
            self.status
        )
    }

    async fn count_candidates(&self, tx: &mut Tx, rows_max: i64) -> Result<Candidates, StoreError> {
        let oldest = self.oldest();
        fetch_one!(
            tx,
            Candidates,
            "queries/count_user_candidates.sql",
            rows_max + 1,
            self.from(),
            self.to(),
            self.window.before_created_at,
            self.window.before_id,
            oldest.created_at,
            oldest.id,
            self.role,
            self.status
        )
    }

    /// All users whose address or name begins with the prefix, sorted after they are read.
    async fn list_matches(&self, tx: &mut Tx) -> Result<Vec<UserRow>, StoreError> {
        let Window { before_created_at, before_id, limit, offset } = self.window;
        fetch_all!(
            tx,
            UserRow,
            "queries/list_users_by_prefix.sql",
            before_created_at,
            before_id,
            self.since,
            limit,
            offset,
            self.from(),
            self.to(),
            self.role,
            self.status
        )
    }

    /// The users with the first character of the prefix, read in the order of the list, down to a position.
    async fn list_by_initial(&self, tx: &mut Tx, end: Position) -> Result<Vec<UserRow>, StoreError> {
        let Window { before_created_at, before_id, limit, offset } = self.window;
        fetch_all!(
            tx,
            UserRow,
            "queries/list_users_by_initial.sql",
            before_created_at,
            before_id,
            end.created_at,
            end.id,
            limit,
            offset,
            self.from(),
            self.to(),
            self.role,
            self.status
        )
    }

    /// The users with the role and the status, read in the order of the list.
    async fn list_narrowed(&self, tx: &mut Tx) -> Result<Vec<UserRow>, StoreError> {
        let Window { before_created_at: at, before_id: id, limit, offset } = self.window;
        let (since, from, to) = (self.since, self.from(), self.to());
        macro_rules! list {
            ($file:literal $(, $more:expr)*) => {
                fetch_all!(tx, UserRow, $file, at, id, since, limit, offset $(, $more)*, from, to)
            };
        }
        match (self.role, self.status) {
            (Some(role), Some(status)) => list!("queries/list_users_by_role_status.sql", role, status),
            (Some(role), None) => list!("queries/list_users_by_role.sql", role),
            (None, Some(status)) => list!("queries/list_users_by_status.sql", status),
            // Not counted, so not chosen.
            (None, None) => self.list_matches(tx).await,
        }
    }
}
