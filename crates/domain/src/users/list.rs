//! List users.

use super::totals::Key;
use super::{EmailAddress, Status, User};
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::page::{COUNTED_MAX, Count, Listed, Page, Total};
use crate::roles::{RoleName, require_known};
use crate::store::ReadTx;
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
        Total::Count => Some(count(ctx, tx.as_mut(), filter).await?),
    };
    Ok(Listed::of(items, page, total, User::position))
}

/// How many users pass the filter: counted up to [`COUNTED_MAX`]. The larger total of a list that only role and status narrow
/// is counted now and then, and used again in between; other filters have too many values to remember.
async fn count(ctx: &Ctx, tx: &mut dyn ReadTx, filter: &UserFilter) -> Result<Count> {
    let (key, totals) = (Key::of(filter), &ctx.services().user_totals);
    // First: to count up to the bound costs more than the page itself.
    if let Some(total) = key.as_ref().and_then(|key| totals.get(key, ctx.now())) {
        return Ok(total);
    }
    let count = tx.count_users(filter, COUNTED_MAX).await?;
    let Some(key) = key.filter(|_| !count.is_exact()) else { return Ok(count) };
    let total = tx.count_users(filter, u64::MAX).await?;
    totals.put(key, total.value(), ctx.now());
    Ok(total)
}
