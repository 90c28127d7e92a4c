//! The first proof of an address.
//!
//! Anybody can sign up with an address that is not theirs, and prepare the account for the day its owner comes: open
//! sessions, enrol a factor, create API keys, begin an address change. So the first proof of the address ends everything
//! that was made before it, in the same transaction. Every use case that proves an address calls [`take_over`] first.

use super::verify_email::prove_email;
use crate::api_keys;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::events::catalogue::{Cause, FactorKind};
use crate::events::{Happened, record_by};
use crate::identities;
use crate::passkeys;
use crate::pending::Ending;
use crate::sessions::{EndReason, end_all_by};
use crate::store::WriteTx;
use crate::users::User;

/// What becomes of the password that was set before the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlierPassword {
    /// It is removed.
    Removed,
    /// The proof itself replaces it.
    Replaced,
}

/// Ends everything that was made before the address of this [locked](crate::users::store::UserWrites::lock_user) user was
/// proven: second factors, passkeys, recovery codes, API keys, identities, the password, sessions, links, challenges and
/// remembered devices.
pub(crate) async fn take_over(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, password: EarlierPassword) -> Result<()> {
    // Enrolment that was never confirmed was never recorded as a factor.
    let was_confirmed = tx.second_factor_standing(user.id).await?.has_totp;
    if tx.remove_totp(user.id).await? && was_confirmed {
        record_by(ctx, tx, user.id, Happened::FactorRemoved { factor: FactorKind::Totp });
    }
    passkeys::remove_all(ctx, tx, user.id).await?;
    tx.set_recovery_codes(user.id, &[]).await?;
    api_keys::delete_all(ctx, tx, user.id).await?;
    identities::unlink_all(ctx, tx, user.id).await?;
    if password == EarlierPassword::Removed && tx.find_password(user.id).await?.is_some() {
        tx.remove_password(user.id).await?;
        record_by(ctx, tx, user.id, Happened::PasswordChanged { cause: Cause::Reclaimed });
    }
    end_all_by(ctx, tx, user.id, EndReason::PasswordChanged, Ending::FirstProof).await.map(drop)
}

/// Proves the address of a user who may not have done so before.
pub(crate) async fn prove_and_take_over(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user: User,
    password: EarlierPassword,
) -> Result<User> {
    if user.email_verified {
        return Ok(user);
    }
    take_over(ctx, tx, &user, password).await?;
    prove_email(ctx, tx, user).await
}
