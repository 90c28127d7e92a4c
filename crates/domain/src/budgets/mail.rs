//! Bound how much mail one address is sent.

use super::BudgetKey;
use super::store::Window;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::store::WriteTx;
use crate::users::EmailAddress;

const PERIOD_S: u32 = 60 * 60;

/// Whether one more message may go to the address; it is counted with the transaction that writes it. Answer alike
/// when it may not, or a stranger learns who was written to.
pub async fn may_mail(ctx: &Ctx, tx: &mut dyn WriteTx, email: &EmailAddress) -> Result<bool> {
    let key = BudgetKey::mail(ctx.services().vault.as_ref(), email);
    let window = Window { key, limit: ctx.policy().guessing.mails_per_hour, period_s: PERIOD_S };
    Ok(tx.spend_window(&window, ctx.now()).await?)
}
