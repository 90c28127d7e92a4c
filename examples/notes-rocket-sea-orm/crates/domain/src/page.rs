//! Pages of notes, newest first.

use crate::note::{Invalid, Note, NoteId};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

/// Which notes to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    pub(crate) before: Option<NoteId>,
    pub(crate) limit: u32,
}

impl PageRequest {
    /// The notes that are older than one, 50 by default, 200 at most.
    pub fn parse(before: Option<NoteId>, limit: Option<u32>) -> Result<Self, Invalid> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) { Ok(Self { before, limit }) } else { Err(Invalid::Limit) }
    }
}

/// A page of notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The notes, newest first.
    pub notes: Vec<Note>,
    /// Where the next page starts: the value for `before`. `None` on the last page.
    pub next: Option<NoteId>,
}

#[cfg(test)]
mod tests {
    use super::PageRequest;
    use crate::note::Invalid;

    #[test]
    fn the_size_of_a_page_is_limited() {
        for (limit, expected) in [
            (None, Ok(50)),
            (Some(1), Ok(1)),
            (Some(200), Ok(200)),
            (Some(0), Err(Invalid::Limit)),
            (Some(201), Err(Invalid::Limit)),
        ] {
            assert_eq!(PageRequest::parse(None, limit).map(|request| request.limit), expected);
        }
    }
}
