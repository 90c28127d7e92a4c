//! The kinds of resources, one file each.

mod providers;
mod roles;
mod service_accounts;
mod webhooks;

pub(super) use providers::Providers;
pub(super) use roles::Roles;
pub(super) use service_accounts::ServiceAccounts;
pub(super) use webhooks::Webhooks;

use denizen_domain::error::Result;
use denizen_domain::page::{Listed, PAGE_MAX, Page, Start};

/// Every item of a list that is read in pages.
async fn all<T, F: Future<Output = Result<Listed<T>>>>(read: impl Fn(Page) -> F) -> Result<Vec<T>> {
    let mut items = Vec::new();
    let mut start = Start::Offset(0);
    loop {
        let page = read(Page { limit: PAGE_MAX, start }).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => start = Start::After(next),
            None => return Ok(items),
        }
    }
}
