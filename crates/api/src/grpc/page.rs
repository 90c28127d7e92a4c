//! Pages over gRPC (AIP-158): the page tokens are the cursors of REST.

use denizen_domain::error::FieldError;
use denizen_domain::page::{Count, PAGE_MAX, Page, Position, Total};
use denizen_domain::ports::Vault;

use super::convert::said;
use crate::http::page::{List, open, seal};

/// Which part of a list a request asks for.
pub(super) struct Asked<'a> {
    /// `page_size`; 0 says nothing.
    pub(super) size: i32,
    /// `page_token`; empty is the beginning.
    pub(super) token: &'a str,
    /// `skip`.
    pub(super) skip: i32,
    /// `with_total_size`.
    pub(super) total: Total,
}

/// Reads those four fields of a request, which every list has.
macro_rules! asked {
    ($request:ident) => {
        $crate::grpc::page::Asked {
            size: $request.page_size,
            token: &$request.page_token,
            skip: $request.skip,
            total: if $request.with_total_size {
                denizen_domain::page::Total::Count
            } else {
                denizen_domain::page::Total::Skip
            },
        }
    };
}
pub(super) use asked;

impl Asked<'_> {
    /// The page of one list.
    pub(super) fn read(&self, vault: &dyn Vault, list: List) -> Result<(Page, Total), FieldError> {
        let whole = |field, number: i32| {
            u32::try_from(number).map_err(|_| FieldError::new(field, "out_of_range", "must not be negative"))
        };
        // More than there can be is as much as there can be (AIP-158).
        let limit = Some(whole("page_size", self.size)?.min(PAGE_MAX)).filter(|size| *size > 0);
        let offset = Some(whole("skip", self.skip)?).filter(|skip| *skip > 0);
        let invalid = || FieldError::new("page_token", "invalid_cursor", "must be a page token of this list");
        let after = said(self.token).map(|token| open(vault, list, token).ok_or_else(invalid)).transpose()?;
        let page = Page::new(limit, offset, after).map_err(|error| FieldError { field: "skip".to_owned(), ..error })?;
        Ok((page, self.total))
    }
}

/// The token of the next page; empty when there is none.
pub(super) fn next(vault: &dyn Vault, list: List, next: Option<Position>) -> String {
    next.map(|position| seal(vault, list, position)).unwrap_or_default()
}

/// The size of the whole list.
pub(super) fn total(total: Option<Count>) -> Option<i64> {
    total.map(|total| i64::try_from(total.value()).unwrap_or(i64::MAX))
}

/// Whether the list may be longer than its total.
pub(super) fn is_limited(total: Option<Count>) -> bool {
    total.is_some_and(|total| !total.is_exact())
}
