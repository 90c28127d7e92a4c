//! List users.

use super::{EmailAddress, Status, User};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{Listed, Page, Total};
use crate::roles::{RoleName, require_known};
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

/// A page of the users that pass the filter, newest first.
pub async fn list(ctx: &Ctx, filter: &UserFilter, page: Page, total: Total) -> Result<Listed<User>> {
    ctx.require(Permission::UsersRead)?;

    if let Some(role) = &filter.role {
        require_known(ctx, role).await?;
    }
    let mut tx = ctx.reads_of(total).await?;
    let items = tx.list_users(filter, page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_users(filter).await?),
    };
    Ok(Listed::of(items, page, total, User::position))
}
