//! Outcomes, named for what they mean to the caller. Transports map them exhaustively.

use crate::hooks::Refusal;
use crate::ports::{HashError, SignError};
use crate::store::StoreError;

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks a rule; each field at fault is named.
    #[error("the input is invalid")]
    Invalid(Vec<FieldError>),
    /// Nobody is signed in, or the credentials are not good.
    #[error("not authenticated")]
    Unauthenticated(Unauthenticated),
    /// The caller is known and may not.
    #[error("not allowed")]
    Forbidden,
    /// The caller must prove a factor anew before they may: [`crate::sessions::step_up()`].
    #[error("recent authentication is required")]
    StepUpRequired,
    /// An outside provider does not answer.
    #[error("the provider is unavailable")]
    ProviderUnavailable {
        /// When it is worth trying again, in seconds.
        retry_after_s: u32,
    },
    /// A provider reports no verified email address, and an account needs one.
    #[error("the email address is not verified")]
    EmailUnverified,
    /// The credentials are right, and the user must verify the address first (`signup.require_verified_email`).
    #[error("the email address must be verified first")]
    VerificationRequired,
    /// Only those who may write users create accounts here.
    #[error("sign-up is closed")]
    SignupClosed,
    /// A hook refused the operation.
    #[error("refused by a hook")]
    HookRefused(Refusal),
    /// A hook failed or did not answer in time, so the operation did not begin.
    #[error("a hook failed")]
    HookFailed {
        /// When it is worth trying again, in seconds.
        retry_after_s: u32,
    },
    /// This way to sign in is not offered here.
    #[error("disabled")]
    NotOffered,
    /// The caller would give away what they do not hold themselves.
    #[error("not held by the caller")]
    NotHeld,
    /// A request for a token that cannot be granted (RFC 6749 §5.2).
    #[error("the grant was rejected")]
    Grant(GrantError),
    /// There is no such thing, or the caller may not know of it.
    #[error("not found")]
    NotFound(Resource),
    /// The present state does not admit the change.
    #[error("conflict")]
    Conflict(Conflict),
    /// The resource is no longer in the version the caller named (`If-Match`).
    #[error("the resource has changed")]
    Stale,
    /// The log no longer reaches back to where the caller wants to go on.
    #[error("the cursor has expired")]
    CursorExpired,
    /// A budget is spent.
    #[error("too many requests")]
    TooManyRequests {
        /// When it is worth trying again, in seconds.
        retry_after_s: u32,
    },
    /// More work is offered than can be done.
    #[error("overloaded")]
    Overloaded {
        /// When it is worth trying again, in seconds.
        retry_after_s: u32,
    },
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect or a broken environment: nothing the caller can mend.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What kind of credentials failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthenticated {
    /// None were given where some are needed.
    Missing,
    /// The token is malformed, expired, forged, or its session is over. Which one is not told.
    InvalidToken,
    /// The refresh token is malformed, forged or used up, or its session is over. Which one is not told.
    InvalidRefreshToken,
    /// The address or the password is wrong. Which one is not told.
    InvalidCredentials,
    /// The code is wrong or used, or what it belongs to is over. Which one is not told.
    InvalidCode,
    /// The outside provider refused, or its answer failed a check.
    ProviderRefused,
    /// The passkey was rejected: the state has expired or was used, a check of the response failed, or the account is
    /// disabled. Which one is not revealed.
    InvalidPasskey,
    /// The client of an OAuth endpoint is unknown, or its secret is wrong. Which one is not told.
    InvalidClient,
}

/// Why a token is not granted, by the names of RFC 6749 §5.2 and RFC 7009 §2.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantError {
    /// The refresh token is malformed, forged or used up, or its session is over. Which one is not told.
    InvalidGrant,
    /// More is asked for than the credential carries, or something unknown.
    InvalidScope,
    /// A token of this kind cannot be revoked.
    UnsupportedTokenType,
}

/// The kinds of things that may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A user.
    User,
    /// A session.
    Session,
    /// A role.
    Role,
    /// A service account.
    ServiceAccount,
    /// An API key.
    ApiKey,
    /// A signing key.
    SigningKey,
    /// A second factor.
    SecondFactor,
    /// A passkey, by its id.
    Passkey,
    /// A passkey, by the credential id that an authenticator sent: it belongs to no user.
    PasskeyCredential,
    /// A webhook.
    Webhook,
    /// A delivery to a webhook.
    Delivery,
    /// An outside provider.
    Provider,
    /// An identity at an outside provider.
    Identity,
}

/// The ways a change can collide with what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Another user has this address.
    EmailTaken,
    /// The change would leave nobody who can administer.
    LastAdmin,
    /// Another role has this name.
    RoleNameTaken,
    /// Somebody has the role.
    RoleInUse,
    /// The role is built in: it stays as it is.
    RoleBuiltIn,
    /// The owner has as many API keys as one may have.
    TooManyApiKeys,
    /// There are as many webhooks as there may be.
    TooManyWebhooks,
    /// The user has a confirmed second factor already.
    SecondFactorPresent,
    /// The identity is linked to another user.
    IdentityTaken,
    /// The email address belongs to a user that the identity may not be linked to without signing in first.
    LinkRequired,
    /// The user would have no way to sign in.
    LastWayIn,
    /// Another provider has this name.
    ProviderNameTaken,
    /// The provider is part of the configuration.
    ProviderConfigured,
    /// There are no tokens of the provider, or it no longer accepts them.
    ProviderTokensGone,
    /// There are as many providers as there may be.
    TooManyProviders,
    /// The user has as many identities as one may have.
    TooManyIdentities,
    /// The user has the maximum number of passkeys.
    TooManyPasskeys,
    /// The credential is already registered, for this user or another one.
    PasskeyTaken,
    /// The role of the user requires a passkey or a security key.
    PasskeyRequired,
    /// Access tokens are signed with a configured secret, so there are no keys to rotate.
    SigningBySecret,
    /// The idempotency key was used with another request.
    IdempotencyKeyReused,
    /// The first request with this idempotency key is still running.
    IdempotencyInProgress,
}

/// How many characters of a client's own text an error quotes at most.
pub const QUOTED_CHARS_MAX: usize = 64;

/// One field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The path of the field in the request, `attributes.theme` for example.
    pub field: String,
    /// A stable, catalogued code.
    pub code: &'static str,
    /// What is expected, for a person.
    pub message: String,
}

impl FieldError {
    /// Names a field, the rule it breaks and what would be right. A name that the client chose is shortened.
    pub fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { field: shortened(field.into()), code, message: message.into() }
    }
}

/// Text that a client chose, to be quoted in an error: at most [`QUOTED_CHARS_MAX`] characters, then an ellipsis.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(QUOTED_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
        // The rest must not stay in memory with the error.
        text.shrink_to_fit();
    }
    text
}

/// The rule that a parsed value breaks; the caller knows which field it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleBroken {
    /// A stable, catalogued code.
    pub code: &'static str,
    /// What is expected, for a person. Never quotes the value.
    pub message: String,
}

impl RuleBroken {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Names the field that broke the rule.
    #[must_use]
    pub fn at(self, field: impl Into<String>) -> FieldError {
        FieldError::new(field, self.code, self.message)
    }
}

impl From<FieldError> for Error {
    fn from(field: FieldError) -> Self {
        Self::Invalid(vec![field])
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Overloaded { retry_after_s } => Self::Overloaded { retry_after_s },
            HashError::Failed(source) => Self::Internal(source),
        }
    }
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        Self::Internal(Box::new(error))
    }
}
