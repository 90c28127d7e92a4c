//! Bound what one client stores in the attributes of the accounts that it creates.

use super::store::Window;
use super::{BudgetKey, HOUR_S, RETRY_AFTER_S};
use crate::access::{Actor, Permission};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::store::WriteTx;
use crate::users::Attributes;

const KIB: usize = 1_024;

/// Counts the attributes of a sign-up against the client. Callers who may write users are not counted.
///
/// # Errors
/// [`Error::TooManyRequests`] when the client has stored enough.
pub(crate) async fn admit_attributes(ctx: &Ctx, tx: &mut dyn WriteTx, attributes: &Attributes) -> Result<()> {
    let is_counted = !ctx.holds(Permission::UsersWrite) && !matches!(ctx.actor(), Actor::Operator | Actor::System);
    let amount = u32::try_from(attributes.stored_bytes().div_ceil(KIB)).unwrap_or(u32::MAX);
    if !is_counted || amount == 0 {
        return Ok(());
    }
    let limit = ctx.policy().guessing.sign_up_attributes_kib_per_hour;
    let Some(key) = BudgetKey::sign_up_attributes(ctx.services().vault.as_ref(), ctx.origin()) else { return Ok(()) };
    let window = Window { key, amount, limit, period_s: HOUR_S };
    if amount > limit || !tx.spend_window(&window, ctx.now()).await? {
        return Err(Error::TooManyRequests { retry_after_s: RETRY_AFTER_S });
    }
    Ok(())
}
