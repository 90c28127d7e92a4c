//! Bound how much mail one address is sent.

use super::BudgetKey;
use super::store::Window;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::store::WriteTx;
use crate::users::EmailAddress;

const PERIOD_S: u32 = 60 * 60;
/// When it is worth asking again, in seconds: the window is fixed, and may end at any time.
const RETRY_AFTER_S: u32 = 5 * 60;

/// Refuses a client who has asked for more mail than one may, to whomever. Before anything else is written.
///
/// # Errors
/// [`Error::TooManyRequests`].
pub async fn admit_mail_request(ctx: &Ctx) -> Result<()> {
    let Some(key) = BudgetKey::mail_requests(ctx.services().vault.as_ref(), ctx.origin()) else { return Ok(()) };
    let window = Window { key, limit: ctx.policy().guessing.mail_requests_per_hour, period_s: PERIOD_S };
    let mut tx = ctx.write().await?;
    let is_admitted = tx.spend_window(&window, ctx.now()).await?;
    ctx.commit(tx).await?;
    if is_admitted { Ok(()) } else { Err(Error::TooManyRequests { retry_after_s: RETRY_AFTER_S }) }
}

/// Whether one more message may go to the address; it is counted with the transaction that writes it. Answer alike
/// when it may not, or a stranger learns who was written to.
pub async fn may_mail(ctx: &Ctx, tx: &mut dyn WriteTx, email: &EmailAddress, purpose: &str) -> Result<bool> {
    let key = BudgetKey::mail(ctx.services().vault.as_ref(), email, purpose);
    let window = Window { key, limit: ctx.policy().guessing.mails_per_hour, period_s: PERIOD_S };
    Ok(tx.spend_window(&window, ctx.now()).await?)
}
