//! The ways in which a user can sign in: the last one cannot be removed.

use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::{IdentityId, PasskeyId};
use crate::passkeys::Passkey;
use crate::providers;
use crate::store::WriteTx;
use crate::users::User;

/// A sign-in method that is about to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// A passkey.
    Passkey(PasskeyId),
    /// Every passkey.
    AllPasskeys,
    /// An identity at an outside provider.
    Identity(IdentityId),
}

/// Whether a [locked](crate::users::store::UserWrites::lock_user) user can sign in without the method: with a password, by
/// mail to a verified address, with another usable passkey, or through another identity whose provider is enabled.
pub(crate) async fn has_other_method(ctx: &Ctx, tx: &mut dyn WriteTx, user: &User, removal: Removal) -> Result<bool> {
    let policy = ctx.policy();
    let is_mailed = policy.sends_mail && (policy.offers_mailed_codes || policy.offers_magic_links);
    if (is_mailed && user.email_verified) || tx.find_password(user.id).await?.is_some() {
        return Ok(true);
    }
    let is_other_passkey = |id| removal != Removal::Passkey(id) && removal != Removal::AllPasskeys;
    let is_method = |passkey: &Passkey| passkey.is_sign_in_method(ctx) && is_other_passkey(passkey.id);
    if tx.list_passkeys(user.id).await?.iter().any(is_method) {
        return Ok(true);
    }
    for identity in tx.list_identities(user.id).await? {
        if removal != Removal::Identity(identity.id) && providers::is_usable(ctx, tx, &identity.provider).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
