//! What follows each attempt to sign in.

use super::totals::{SignIn, SignInMethod};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::hooks;

/// Counts an attempt by its result, and notifies hooks of a session.
pub(crate) async fn finished<T: SignIn>(ctx: &Ctx, method: SignInMethod, result: Result<T>) -> Result<T> {
    let value = ctx.services().sign_ins.count(method, result)?;
    if let Some(signed_in) = value.session() {
        hooks::after_sign_in(ctx, signed_in).await?;
    }
    Ok(value)
}
