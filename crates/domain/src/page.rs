//! Pages of lists, newest first.

use uuid::Uuid;

use crate::error::FieldError;
use crate::time::Timestamp;

/// The most items a page may ask for.
pub const PAGE_MAX: u32 = 200;
/// The items of a page when nothing is said.
pub const PAGE_DEFAULT: u32 = 20;
/// The farthest an offset may reach. Its cost grows with its depth; a cursor's does not.
pub const OFFSET_MAX: u32 = 1_000_000;

/// A place in a list that is ordered by creation time, then id, both falling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// When the item at this place was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: Uuid,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// After so many items, at most [`OFFSET_MAX`].
    Offset(u32),
    /// After this place.
    After(Position),
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most so many items, 1 to [`PAGE_MAX`].
    pub limit: u32,
    /// From where.
    pub start: Start,
}

impl Page {
    /// A page within its bounds. A cursor and an offset exclude each other.
    ///
    /// # Errors
    /// Names `limit`, `offset` or `after` when it is out of bounds.
    pub fn new(limit: Option<u32>, offset: Option<u32>, after: Option<Position>) -> Result<Self, FieldError> {
        let limit = limit.unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(FieldError::new("limit", "out_of_range", format!("must be 1 to {PAGE_MAX}")));
        }
        let start = match (offset, after) {
            (Some(_), Some(_)) => {
                return Err(FieldError::new("offset", "not_allowed", "cannot be combined with after"));
            }
            (Some(offset), None) if offset > OFFSET_MAX => {
                let message = format!("must be 0 to {OFFSET_MAX}; follow the Link header to go further");
                return Err(FieldError::new("offset", "out_of_range", message));
            }
            (offset, None) => Start::Offset(offset.unwrap_or(0)),
            (None, Some(position)) => Start::After(position),
        };
        Ok(Self { limit, start })
    }
}

impl Page {
    /// The page and one item more, which tells whether another page follows.
    #[must_use]
    pub const fn probe(self) -> Self {
        Self { limit: self.limit + 1, ..self }
    }
}

/// Up to how many items a list that has no maximum is counted.
pub const COUNTED_MAX: u64 = 10_000;

/// Whether to count the whole list as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Do not.
    Skip,
    /// Do.
    Count,
}

/// How many items a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(u64),
    /// So many, and possibly more, which were not counted.
    AtLeast(u64),
}

impl Count {
    /// What was counted up to one more than `max`.
    #[must_use]
    pub fn up_to(max: u64, counted: u64) -> Self {
        if counted > max { Self::AtLeast(max) } else { Self::Exactly(counted) }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u64 {
        match self {
            Self::Exactly(count) | Self::AtLeast(count) => count,
        }
    }

    /// Whether there are no more.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }
}

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        Self::Exactly(count)
    }
}

/// A page of a list, and where the next one begins if there is one.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The place of the last item when more follow.
    pub next: Option<Position>,
    /// How many items there are in all, when that was asked for.
    pub total: Option<Count>,
}

impl<T> Listed<T> {
    /// The page, of what was found for its [probe](Page::probe).
    pub fn of(
        mut items: Vec<T>,
        page: Page,
        total: Option<impl Into<Count>>,
        position: impl Fn(&T) -> Position,
    ) -> Self {
        let has_more = items.len() > page.limit as usize;
        items.truncate(page.limit as usize);
        let next = items.last().filter(|_| has_more).map(position);
        Self { items, next, total: total.map(Into::into) }
    }
}
