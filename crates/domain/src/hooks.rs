//! Hooks: application code that runs before and after a sign-up, a sign-in or a deletion.
//!
//! Hooks run for requests of clients, and when a scheduled deletion is carried out. Other operations of the operator and
//! of the server itself do not run them, so that a hook that calls a use case does not call itself.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::access::Actor;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::catalogue::{Source, Way};
use crate::id::{SessionId, UserId};
use crate::roles::RoleName;
use crate::sessions::SignedIn;
use crate::users::{DisplayName, EmailAddress, User};

/// The maximum length of the message of a refusal, in characters.
pub const MESSAGE_CHARS_MAX: usize = 200;
/// The message of a refusal without a valid one.
const MESSAGE: &str = "The application refused the operation.";
/// The delay after which a request that failed because of a hook can be retried, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// An operation that is about to begin. Nothing is written yet.
#[derive(Debug, Clone)]
pub enum Before {
    /// A user is about to be created.
    SignUp(Box<SignUpRequest>),
    /// A user has proven their first factor, and is about to be signed in, possibly after a second one.
    SignIn(Box<SignInRequest>),
    /// A user is about to be deleted.
    Deletion(Box<User>),
}

/// An operation that is committed.
#[derive(Debug, Clone)]
pub enum After {
    /// A user was created.
    SignUp(Box<User>),
    /// A session was opened.
    SignIn(Box<User>, SessionId),
    /// A user was deleted.
    Deletion(Box<User>),
}

/// A sign-up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignUpRequest {
    /// The email address. It may already belong to a user.
    pub email: EmailAddress,
    /// Display name.
    pub name: DisplayName,
    /// The role.
    pub role: RoleName,
    /// How the user is created.
    pub source: Source,
    /// The address of the client, if it is known.
    pub address: Option<IpAddr>,
}

/// A sign-in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignInRequest {
    /// The user.
    pub user: User,
    /// The first factor.
    pub method: Way,
    /// The address of the client, if it is known.
    pub address: Option<IpAddr>,
}

/// The port of hooks. An implementation limits its own time.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Whether the operation may begin.
    ///
    /// # Errors
    /// If the hook refuses the operation, fails, or does not return in time: the operation does not begin.
    async fn before(&self, operation: Before) -> std::result::Result<(), HookError>;

    /// Notifies of an operation. Returns at once: the response to the client does not wait.
    fn after(&self, operation: After);
}

/// Why an operation may not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookError {
    /// The hook refused it.
    Refused(Refusal),
    /// The hook failed or did not answer in time.
    Failed,
}

/// A refusal by a hook, with a message for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// A refusal with a message for a person. It is cut to [`MESSAGE_CHARS_MAX`] characters; control characters become
    /// spaces. An empty message is replaced by a general one.
    #[must_use]
    pub fn new(message: &str) -> Self {
        let plain = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARS_MAX);
        let text = plain.collect::<String>().trim().to_owned();
        Self(if text.is_empty() { MESSAGE.to_owned() } else { text })
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl From<HookError> for Error {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused(refusal) => Self::HookRefused(refusal),
            HookError::Failed => Self::HookFailed { retry_after_s: RETRY_AFTER_S },
        }
    }
}

/// The hooks, unless the caller is the operator or the server itself.
fn hooks_of(ctx: &Ctx) -> Option<&Arc<dyn Hooks>> {
    match ctx.actor() {
        Actor::Anonymous | Actor::Known(_) => ctx.services().hooks.as_ref(),
        Actor::Operator | Actor::System => None,
    }
}

/// Whether hooks are called for this caller.
pub(crate) fn are_called(ctx: &Ctx) -> bool {
    hooks_of(ctx).is_some()
}

/// Runs the hook before a user is created. Call it outside a transaction.
pub(crate) async fn before_sign_up(
    ctx: &Ctx,
    email: &EmailAddress,
    name: &DisplayName,
    role: &RoleName,
    source: Source,
) -> Result<()> {
    let Some(hooks) = hooks_of(ctx) else { return Ok(()) };
    let (email, name, role) = (email.clone(), name.clone(), role.clone());
    let request = SignUpRequest { email, name, role, source, address: ctx.origin().address };
    Ok(hooks.before(Before::SignUp(Box::new(request))).await?)
}

/// Runs the hook before a user who has proven a first factor is signed in. Call it outside a transaction. Succeeds if
/// the user does not exist: the transaction then refuses the sign-in.
pub(crate) async fn before_sign_in(ctx: &Ctx, user: UserId, method: Way) -> Result<()> {
    let Some(hooks) = hooks_of(ctx) else { return Ok(()) };
    let found = ctx.store().read().await?.find_user(user).await?;
    let Some(user) = found else { return Ok(()) };
    let request = SignInRequest { user, method, address: ctx.origin().address };
    Ok(hooks.before(Before::SignIn(Box::new(request))).await?)
}

/// Runs the hook before a user is deleted. Call it outside a transaction.
pub(crate) async fn before_deletion(ctx: &Ctx, user: UserId) -> Result<()> {
    let Some(hooks) = hooks_of(ctx) else { return Ok(()) };
    let found = ctx.store().read().await?.find_user(user).await?;
    let Some(user) = found else { return Ok(()) };
    Ok(hooks.before(Before::Deletion(Box::new(user))).await?)
}

/// Runs the hook before a user is deleted whose grace period has passed. Call it outside a transaction.
pub(crate) async fn before_due_deletion(ctx: &Ctx, user: &User) -> Result<()> {
    let Some(hooks) = &ctx.services().hooks else { return Ok(()) };
    Ok(hooks.before(Before::Deletion(Box::new(user.clone()))).await?)
}

/// Notifies of a scheduled deletion that is committed.
pub(crate) fn after_due_deletion(ctx: &Ctx, user: User) {
    if let Some(hooks) = &ctx.services().hooks {
        hooks.after(After::Deletion(Box::new(user)));
    }
}

/// Notifies of an operation once it is committed.
pub(crate) async fn after(ctx: &Ctx, operation: impl FnOnce() -> After) -> Result<()> {
    let Some(hooks) = hooks_of(ctx) else { return Ok(()) };
    let (hooks, operation) = (Arc::clone(hooks), operation());
    let notify = async move {
        hooks.after(operation);
        Ok(())
    };
    ctx.after_commit(notify).await
}

/// Notifies of a session that was opened.
pub(crate) async fn after_sign_in(ctx: &Ctx, signed_in: &SignedIn) -> Result<()> {
    after(ctx, || After::SignIn(Box::new(signed_in.user.clone()), signed_in.session_id)).await
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE, MESSAGE_CHARS_MAX, Refusal};

    #[test]
    fn refusal_messages_are_sanitized_and_truncated() {
        for (message, expected) in [
            (" Ask your team. ", "Ask your team."),
            ("two\r\nlines\u{0}", "two  lines"),
            ("", MESSAGE),
            (" \n ", MESSAGE),
        ] {
            assert_eq!(Refusal::new(message).message(), expected);
        }
        assert_eq!(Refusal::new(&"ä".repeat(5_000)).message().chars().count(), MESSAGE_CHARS_MAX);
    }
}
