//! What is pending on an account, and which event ends it.
//!
//! Pending are one-time links, challenges, a TOTP secret that is not confirmed yet, and the devices that an account
//! remembers. Every use case that ends sessions, or changes how an account can be entered, calls [`end`] in its own
//! transaction. `docs/credentials.md` shows the same table.
//!
//! Event tickets are not listed: redeeming one checks the credential that it was issued for.

use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::{SessionId, UserId};
use crate::one_time::Purpose;
use crate::store::WriteTx;

/// An event that ends something pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// One session ended.
    Session(SessionId),
    /// Every session but one ended: by request, or because the password or the second factor changed.
    OtherSessions,
    /// Every session ended: by request, by an administrator, or because the password was reset or set.
    AllSessions,
    /// The recovery codes were replaced.
    RecoveryCodes,
    /// The account has another address.
    EmailChanged,
    /// The account can no longer be used.
    Disabled,
    /// A person proved to read the mail of an address that was not proven before.
    FirstProof,
}

impl Ending {
    /// The links that it ends, whichever session asked for them.
    const fn links(self) -> &'static [Purpose] {
        match self {
            // That of the session alone: see below.
            Self::Session(_) => &[],
            Self::RecoveryCodes => &[Purpose::EmailChange],
            Self::OtherSessions | Self::AllSessions => Purpose::OPENING,
            Self::EmailChanged | Self::Disabled | Self::FirstProof => Purpose::ALL,
        }
    }

    /// Whether it ends unfinished sign-ins, and a TOTP secret that is not confirmed yet.
    const fn ends_sign_ins(self) -> bool {
        match self {
            Self::Session(_) | Self::RecoveryCodes => false,
            Self::OtherSessions | Self::AllSessions | Self::EmailChanged | Self::Disabled | Self::FirstProof => true,
        }
    }

    /// Whether remembered devices are forgotten. The caller's own stays where only other sessions end.
    const fn forgets_devices(self) -> bool {
        match self {
            Self::Session(_) | Self::OtherSessions | Self::RecoveryCodes | Self::EmailChanged => false,
            Self::AllSessions | Self::Disabled | Self::FirstProof => true,
        }
    }
}

/// Ends what the event ends, with the transaction of the event.
pub(crate) async fn end(ctx: &Ctx, tx: &mut dyn WriteTx, user: UserId, ending: Ending) -> Result<()> {
    if let Ending::Session(session) = ending {
        tx.remove_email_change_by(user, session).await?;
    }
    tx.remove_one_time_tokens(user, ending.links()).await?;
    if ending.ends_sign_ins() {
        tx.remove_challenges(user).await?;
        tx.remove_pending_totp(user).await?;
    }
    if ending.forgets_devices() {
        tx.forget_devices(user, ctx.now()).await?;
    }
    Ok(())
}
