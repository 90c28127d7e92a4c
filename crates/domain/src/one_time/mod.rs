//! Links that are good once: a reset, a verification, an invitation.
//!
//! The token is the id of a row and a code over it under the master key. There is at most one for each user and
//! purpose: a new one takes the place of the one before. Using it removes the row, so that of many who use it at once
//! one succeeds.

pub mod store;

use secrecy::SecretString;
use uuid::Uuid;

use crate::ctx::{Ctx, Services};
use crate::derived::Kind;
use crate::error::{Error, FieldError, Result};
use crate::events::{Happened, record_by};
use crate::id::{OneTimeTokenId, SessionId, UserId};
use crate::ports::Vault;
use crate::store::WriteTx;
use crate::time::Timestamp;
use crate::users::{EmailAddress, User};

/// What every token begins with, so that scanners find leaked ones.
pub const PREFIX: &str = "dno_";

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To set a new password.
    PasswordReset,
    /// To prove that an address is read.
    EmailVerification,
    /// To take a new address.
    EmailChange,
    /// To join.
    Invitation,
    /// To sign in.
    SignIn,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: &[Self] =
        &[Self::PasswordReset, Self::EmailVerification, Self::EmailChange, Self::Invitation, Self::SignIn];

    /// Those that open an account to whoever reads its mail.
    pub const OPENING: &[Self] = &[Self::PasswordReset, Self::EmailChange, Self::SignIn];

    /// Its stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
            Self::EmailChange => "email_change",
            Self::Invitation => "invitation",
            Self::SignIn => "sign_in",
        }
    }

    /// How long a token is good, in seconds.
    #[must_use]
    pub const fn ttl_s(self) -> u32 {
        match self {
            Self::PasswordReset => 60 * 60,
            Self::EmailVerification | Self::EmailChange => 24 * 60 * 60,
            Self::Invitation => 7 * 24 * 60 * 60,
            Self::SignIn => 15 * 60,
        }
    }

    /// A token for one purpose is none for another.
    const fn kind(self) -> Kind {
        let purpose = match self {
            Self::PasswordReset => "one-time password reset",
            Self::EmailVerification => "one-time email verification",
            Self::EmailChange => "one-time email change",
            Self::Invitation => "one-time invitation",
            Self::SignIn => "one-time sign-in",
        };
        Kind { prefix: PREFIX, purpose }
    }

    /// The token of an id, for whoever sends it.
    #[must_use]
    pub fn token(self, vault: &dyn Vault, id: OneTimeTokenId) -> SecretString {
        self.kind().token(vault, id.as_uuid().as_bytes())
    }

    fn open(self, vault: &dyn Vault, token: &SecretString) -> Option<OneTimeTokenId> {
        self.kind().open(vault, token).map(|id| OneTimeTokenId::from_uuid(Uuid::from_bytes(id)))
    }
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeToken {
    /// What the token is derived from.
    pub id: OneTimeTokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// The purpose.
    pub purpose: Purpose,
    /// The address that it was sent to.
    pub email: EmailAddress,
    /// The session of the user that asked for it, if one did.
    pub session_id: Option<SessionId>,
    /// Creation time.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Makes a token for the user, in place of the one before, and says until when it is good.
pub(crate) async fn make(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    user_id: UserId,
    purpose: Purpose,
    email: &EmailAddress,
) -> Result<OneTimeToken> {
    let now = ctx.now();
    let token = OneTimeToken {
        id: OneTimeTokenId::from_uuid(ctx.new_id()),
        user_id,
        purpose,
        email: email.clone(),
        session_id: ctx.signed_in().ok().filter(|(caller, _)| *caller == user_id).map(|(_, session)| session),
        created_at: now,
        expires_at: now.plus_seconds(purpose.ttl_s()),
    };
    tx.put_one_time_token(&token).await?;
    record_by(ctx, tx, user_id, Happened::LinkCreated { purpose, expires_at: token.expires_at });
    Ok(token)
}

/// Who a token is for, if it is one of ours; whether it is still good, [`take`] says.
pub(crate) fn read(ctx: &Ctx, purpose: Purpose, token: &SecretString) -> Result<OneTimeTokenId> {
    purpose.open(ctx.services().vault.as_ref(), token).ok_or_else(refused)
}

/// Uses a token up, and locks its user: first the user, then the token, as whoever changes a user does.
pub(crate) async fn take(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    purpose: Purpose,
    id: OneTimeTokenId,
) -> Result<(OneTimeToken, User)> {
    let found = tx.find_one_time_token(id, purpose, ctx.now()).await?.ok_or_else(refused)?;
    let user = tx.lock_user(found.user_id).await?.ok_or_else(refused)?;
    let token = tx.take_one_time_token(id, purpose, ctx.now()).await?.ok_or_else(refused)?;
    Ok((token, user))
}

/// Forged, used, superseded and expired are one answer.
pub(crate) fn refused() -> Error {
    FieldError::new("token", "invalid_token", "is invalid, was already used, or has expired").into()
}

/// Removes at most so many expired tokens, the longest expired first, and says how many.
pub async fn purge(services: &Services, limit: u32) -> Result<u64> {
    let mut tx = services.store.write().await?;
    let removed = tx.purge_one_time_tokens(services.clock.now(), limit).await?;
    tx.commit().await?;
    Ok(removed)
}
