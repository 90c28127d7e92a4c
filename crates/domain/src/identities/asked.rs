//! Which hooks were called before a sign-in with an identity: the transaction must find the same user.

use super::code::ProvenIdentity;
use crate::ctx::{Ctx, SignupMode};
use crate::error::Result;
use crate::events::catalogue::{Source, Way};
use crate::hooks;
use crate::id::UserId;
use crate::roles::RoleName;
use crate::users::{DisplayName, User};

/// How the user of an identity was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The identity was linked already.
    Returning,
    /// It was linked to an existing user.
    Linked,
    /// It accepted an invitation.
    Joined,
    /// A user was created for it.
    Created,
}

/// What the hooks were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// There are no hooks.
    NotCalled,
    /// The identity cannot sign in.
    Nothing,
    /// The sign-in of this user.
    SignIn(UserId),
    /// The creation of a user.
    SignUp,
}

impl Asked {
    /// Calls the hooks for what the sign-in is expected to do.
    pub(super) async fn ask(ctx: &Ctx, proven: &ProvenIdentity) -> Result<Self> {
        if !hooks::are_called(ctx) {
            return Ok(Self::NotCalled);
        }
        let identity = &proven.identity;
        let mut read = ctx.store().read().await?;
        let email = identity.email.as_ref().filter(|_| identity.email_verified);
        let known = match (read.find_identity(&identity.issuer, &identity.subject).await?, email) {
            (Some(known), _) => Some(known.user_id),
            (None, Some(email)) => read.find_user_by_email(email).await?.map(|user| user.id),
            (None, None) => return Ok(Self::Nothing),
        };
        drop(read);
        if let Some(user) = known {
            hooks::before_sign_in(ctx, user, Way::Provider).await?;
            return Ok(Self::SignIn(user));
        }
        let is_open = proven.provider.settings.signup && ctx.policy().signup != SignupMode::Closed;
        let Some(email) = email.filter(|_| is_open) else { return Ok(Self::Nothing) };
        let name = identity.name.clone().unwrap_or_else(|| DisplayName::from_stored(email.to_string()));
        hooks::before_sign_up(ctx, email, &name, &RoleName::user(), Source::Provider).await?;
        Ok(Self::SignUp)
    }

    /// Whether the hooks were asked about what the transaction found.
    pub(super) fn covers(self, user: &User, arrival: Arrival) -> bool {
        match self {
            Self::NotCalled => true,
            Self::Nothing => false,
            Self::SignIn(asked) => arrival != Arrival::Created && asked == user.id,
            Self::SignUp => arrival == Arrival::Created,
        }
    }
}
