//! Second factors: what is proven besides the password.
//!
//! A user has at most one TOTP secret (RFC 6238), sealed under the master key, and recovery codes for the day it is lost.
//! Each code of either is good once; the store decides who used it.

mod code;
mod recovery;
pub mod remove;
pub mod store;
pub mod totp;

pub use code::SecondFactorCode;
pub use recovery::{RECOVERY_CODES, replace_recovery_codes};
pub use remove::{remove, remove_of};
pub use totp::{Enrolment, begin, confirm};

use crate::access::Permission;
use crate::budgets;
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Resource, Result};
use crate::id::{SessionId, UserId};
use crate::passkeys::CredentialKind;
use crate::store::WriteTx;
use crate::time::Timestamp;

/// A MAC of a recovery code under the master key.
pub type RecoveryCodeHash = [u8; 32];

/// A secret for time-based one-time passwords (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpFactor {
    /// Whose it is.
    pub user_id: UserId,
    /// The secret, sealed under the master key and bound to the user.
    pub sealed_secret: Vec<u8>,
    /// Creation time.
    pub created_at: Timestamp,
    /// When the user first gave a code of it. Before, it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// The time step of the last code that was taken.
    pub last_step: i64,
}

/// What a sign-in of a user owes besides the first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent of each other")]
pub struct Standing {
    /// Whether the user has a confirmed TOTP secret.
    pub has_totp: bool,
    /// Whether the user has a passkey.
    pub has_passkey: bool,
    /// Whether the user has a security key.
    pub has_security_key: bool,
    /// Whether the user's role demands a second factor.
    pub is_required: bool,
    /// Whether the user's role demands that it is a passkey or a security key.
    pub is_passkey_required: bool,
}

impl Standing {
    /// Whether the user has a second factor.
    #[must_use]
    pub const fn is_enrolled(self) -> bool {
        self.has_totp || self.has_webauthn()
    }

    /// Whether the user has a passkey or a security key.
    #[must_use]
    pub const fn has_webauthn(self) -> bool {
        self.has_passkey || self.has_security_key
    }

    /// Whether a sign-in owes a second factor.
    #[must_use]
    pub fn owes(self) -> bool {
        self.is_enrolled() || self.is_required
    }
}

/// Which second factors a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// Whether the user has a password.
    pub has_password: bool,
    /// Since when there is a TOTP secret.
    pub totp_confirmed_at: Option<Timestamp>,
    /// The number of unused recovery codes.
    pub recovery_codes_left: u64,
    /// The number of passkeys.
    pub passkeys: u64,
    /// The number of security keys.
    pub security_keys: u64,
    /// Whether the role requires a second factor.
    pub is_required: bool,
    /// Whether the role requires that it is a passkey or a security key.
    pub is_passkey_required: bool,
}

/// The factors of a user: one's own, or anybody's for those who may read users.
pub async fn get(ctx: &Ctx, user: UserId) -> Result<Factors> {
    ctx.require_self_or(user, Permission::UsersRead)?;
    let mut read = ctx.store().snapshot().await?;
    read.find_user(user).await?.ok_or(Error::NotFound(Resource::User))?;
    let totp = read.find_totp(user).await?;
    let standing = read.second_factor_standing(user).await?;
    Ok(Factors {
        has_password: read.find_password(user).await?.is_some(),
        totp_confirmed_at: totp.and_then(|totp| totp.confirmed_at),
        recovery_codes_left: read.count_recovery_codes(user).await?,
        passkeys: read.count_passkeys(user, CredentialKind::Passkey).await?,
        security_keys: read.count_passkeys(user, CredentialKind::SecurityKey).await?,
        is_required: standing.is_required,
        is_passkey_required: standing.is_passkey_required,
    })
}

/// Proves a second factor of the user, and uses the code up.
///
/// # Errors
/// The field `code` when it is wrong or used.
pub(crate) async fn prove(ctx: &Ctx, (user, session): (UserId, SessionId), code: &SecondFactorCode) -> Result<()> {
    let admitted = budgets::admit_own(ctx, session).await?;
    let mut tx = ctx.write().await?;
    if !use_code(ctx, &mut *tx, user, code).await? {
        return Err(wrong_code());
    }
    budgets::forgive(&mut *tx, &admitted).await?;
    ctx.commit(tx).await?;
    Ok(())
}

/// Uses a code up; `false` when it is wrong or used.
pub(crate) async fn use_code(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, code: &SecondFactorCode) -> Result<bool> {
    match code {
        SecondFactorCode::Totp(digits) => {
            let Some(factor) = tx.find_totp(user).await?.filter(|factor| factor.confirmed_at.is_some()) else {
                return Ok(false);
            };
            match totp::step_of(ctx, &factor, digits)? {
                Some(step) => Ok(tx.use_totp_step(user, step).await?),
                None => Ok(false),
            }
        }
        SecondFactorCode::Recovery(code) => {
            let hash = recovery::hash(ctx.services().vault.as_ref(), user, code);
            Ok(tx.use_recovery_code(user, &hash).await?)
        }
    }
}

pub(crate) fn wrong_code() -> Error {
    FieldError::new("code", "wrong_code", "must be a current code that was not used before").into()
}
