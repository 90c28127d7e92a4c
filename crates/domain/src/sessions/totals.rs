//! How many sign-ins there were, by method and result, since the process started.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Finished, Outcome, SignedIn};
use crate::error::{Error, Result};

/// What a sign-in is attempted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMethod {
    /// Address and password.
    Password,
    /// A passkey as the only factor.
    Passkey,
    /// A mailed link.
    MagicLink,
    /// An outside provider.
    Provider,
    /// The completion of a challenge: a second factor, or a mailed code.
    Challenge,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInResult {
    /// A session.
    Succeeded,
    /// Another factor is required.
    Challenged,
    /// The credentials were not accepted.
    Rejected,
    /// There were too many attempts.
    RateLimited,
    /// There was no capacity.
    Overloaded,
    /// The server failed.
    Failed,
}

impl SignInMethod {
    /// All methods.
    pub const ALL: [Self; 5] = [Self::Password, Self::Passkey, Self::MagicLink, Self::Provider, Self::Challenge];

    /// The name of the method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::MagicLink => "magic_link",
            Self::Provider => "provider",
            Self::Challenge => "challenge",
        }
    }
}

impl SignInResult {
    /// All results.
    pub const ALL: [Self; 6] =
        [Self::Succeeded, Self::Challenged, Self::Rejected, Self::RateLimited, Self::Overloaded, Self::Failed];

    /// The name of the result.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Challenged => "challenged",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }

    fn of<T: SignIn>(result: &Result<T>) -> Self {
        match result {
            Ok(signed_in) if signed_in.session().is_some() => Self::Succeeded,
            Ok(_) => Self::Challenged,
            Err(Error::TooManyRequests { .. }) => Self::RateLimited,
            Err(Error::Overloaded { .. }) => Self::Overloaded,
            Err(
                Error::Store(_) | Error::Internal(_) | Error::ProviderUnavailable { .. } | Error::HookFailed { .. },
            ) => Self::Failed,
            Err(_) => Self::Rejected,
        }
    }
}

/// What an attempt returns.
pub(crate) trait SignIn {
    /// The session, if there is one.
    fn session(&self) -> Option<&SignedIn>;
}

impl SignIn for SignedIn {
    fn session(&self) -> Option<&SignedIn> {
        Some(self)
    }
}

impl SignIn for Outcome {
    fn session(&self) -> Option<&SignedIn> {
        match self {
            Self::SignedIn(signed_in) => Some(signed_in),
            Self::Challenged(_) => None,
        }
    }
}

impl SignIn for Finished {
    fn session(&self) -> Option<&SignedIn> {
        self.outcome.session()
    }
}

/// The totals.
#[derive(Debug, Default)]
pub struct SignInTotals([[AtomicU64; SignInResult::ALL.len()]; SignInMethod::ALL.len()]);

impl SignInTotals {
    /// Counts an attempt by its result, which is returned as it is.
    pub(super) fn count<T: SignIn>(&self, method: SignInMethod, result: Result<T>) -> Result<T> {
        self.0[method as usize][SignInResult::of(&result) as usize].fetch_add(1, Ordering::Relaxed);
        result
    }

    /// The number of attempts by a method that had this result.
    #[must_use]
    pub fn get(&self, method: SignInMethod, result: SignInResult) -> u64 {
        self.0[method as usize][result as usize].load(Ordering::Relaxed)
    }
}
