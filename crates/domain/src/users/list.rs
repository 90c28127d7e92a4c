//! List users.

use super::{EmailAddress, Status, User};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{Listed, Page};
use crate::roles::RoleName;
use crate::time::Timestamp;

/// Which users to list; what is `None` does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// The one with this address.
    pub email: Option<EmailAddress>,
    /// Those whose address or name begins with this, in the form of [`super::search_key`].
    pub prefix: Option<String>,
    /// Those with this role.
    pub role: Option<RoleName>,
    /// Those with this status.
    pub status: Option<Status>,
    /// Those created after this moment.
    pub created_after: Option<Timestamp>,
}

/// Whether to count the whole list as well; that reads all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Do not.
    Skip,
    /// Do.
    Count,
}

/// A page of the users that pass the filter, newest first.
pub async fn list(ctx: &Ctx, filter: &UserFilter, page: Page, total: Total) -> Result<Listed<User>> {
    ctx.require(Permission::UsersRead)?;

    // One row more than the page tells whether another follows.
    let probe = Page { limit: page.limit + 1, ..page };
    let mut tx = match total {
        Total::Skip => ctx.store().read().await?,
        Total::Count => ctx.store().snapshot().await?,
    };
    let mut items = tx.list_users(filter, probe).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_users(filter).await?),
    };
    let has_more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    let next = items.last().filter(|_| has_more).map(User::position);
    Ok(Listed { items, next, total })
}
