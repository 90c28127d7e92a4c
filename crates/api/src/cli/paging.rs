//! Pagination of lists.

use std::io::Write;

use clap::Args;
use denizen_domain::Ctx;
use denizen_domain::error::FieldError;
use denizen_domain::page::{Listed, Page, Position, Total};
use serde::Serialize;

use super::failure::Failure;
use super::output::{Output, print, print_json};
use crate::http::page::{self, List};

/// Pagination.
#[derive(Args)]
pub(super) struct PageArgs {
    /// Maximum number of items: 1 to 200. Default: 20.
    #[arg(long)]
    limit: Option<u32>,
    /// Number of items to skip.
    #[arg(long, conflicts_with = "after")]
    offset: Option<u32>,
    /// Continues after the cursor of an earlier list.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Prints the total number of items on standard error.
    #[arg(long)]
    count: bool,
}

impl PageArgs {
    /// The page, and whether to count the whole list.
    pub(super) fn read(&self, ctx: &Ctx, list: List) -> Result<(Page, Total), Failure> {
        let usage = |field: FieldError| Failure::Usage(format!("--{} {}", field.field, field.message));
        let after = self.after.as_deref().map(|cursor| open(ctx, list, cursor)).transpose().map_err(usage)?;
        let page = Page::new(self.limit, self.offset, after).map_err(usage)?;
        Ok((page, if self.count { Total::Count } else { Total::Skip }))
    }
}

/// Prints a page, and on standard error the total number of items, if requested, and how to continue.
pub(super) fn print_page<T, B: Serialize>(
    ctx: &Ctx,
    list: List,
    listed: Listed<T>,
    output: Output,
    body: impl Fn(T) -> B,
    table: impl Fn(&[T]) -> String,
) -> Result<(), Failure> {
    let Listed { items, next, total } = listed;
    match output {
        Output::Json => print_json(&items.into_iter().map(body).collect::<Vec<_>>())?,
        Output::Text => print(&table(&items))?,
    }
    let mut stderr = std::io::stderr();
    if let Some(total) = total {
        let at_least = if total.is_exact() { "" } else { "at least " };
        writeln!(stderr, "total: {at_least}{}", total.value())?;
    }
    if let Some(position) = next {
        writeln!(stderr, "more: --after {}", page::seal(ctx.services().vault.as_ref(), list, position))?;
    }
    Ok(())
}

fn open(ctx: &Ctx, list: List, cursor: &str) -> Result<Position, FieldError> {
    let position = page::open(ctx.services().vault.as_ref(), list, cursor);
    position.ok_or_else(|| FieldError::new("after", "invalid_cursor", "must be a cursor of this list"))
}
