//! List sessions.

use super::Session;
use crate::access::Permission;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::UserId;
use crate::page::{Listed, Page, Total};

/// A page of a user's live sessions, newest first: one's own, or anybody's for those who may see them.
pub async fn list(ctx: &Ctx, user: UserId, page: Page, total: Total) -> Result<Listed<Session>> {
    ctx.require_self_or(user, Permission::SessionsRead)?;
    let now = ctx.now();
    let mut tx = ctx.reads_of(total).await?;
    let items = tx.list_sessions(user, now, page.probe()).await?;
    let total = match total {
        Total::Skip => None,
        Total::Count => Some(tx.count_sessions(user, now).await?),
    };
    Ok(Listed::of(items, page, total, Session::position))
}
