//! Hooks of an application: the trait that it implements, and their calls within a time limit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use denizen_domain::hooks::{self, After, Before, HookError, Refusal, SignInRequest, SignUpRequest};
use denizen_domain::id::SessionId;
use denizen_domain::users::User;
use futures_util::FutureExt;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tonic::async_trait;

/// Code of the application around sign-up, sign-in and deletion. Each method has a default that does nothing.
///
/// Hooks are called for requests over REST and gRPC. Calls of the application itself
/// ([`Denizen::accounts`](crate::Denizen::accounts)), imports, invitations and the setup of the first administrator do not
/// call them.
///
/// `before_…` runs before anything is written, outside any transaction, and can refuse the operation. If it panics, or does
/// not return within [`Builder::hook_time_limit`](crate::Builder::hook_time_limit), the operation does not begin, and the
/// client receives 503 `hook_failed`.
///
/// `after_…` runs once after the commit, in a task of its own: the response does not wait for it, and its failure is logged
/// only. It is lost if the process ends at that moment; events and webhooks are not.
///
/// ```
/// use denizen::hooks::{Hooks, Refusal, SignUpRequest};
///
/// struct CompanyOnly;
///
/// impl Hooks for CompanyOnly {
///     async fn before_sign_up(&self, request: &SignUpRequest) -> Result<(), Refusal> {
///         let is_ours = request.email.as_str().ends_with("@example.com");
///         if is_ours { Ok(()) } else { Err(Refusal::new("Use your address at example.com.")) }
///     }
/// }
///
/// let builder = denizen::Denizen::builder().hooks(CompanyOnly);
/// ```
#[expect(unused_variables, reason = "the defaults do nothing")]
pub trait Hooks: Send + Sync + 'static {
    /// Called before a user is created: by a sign-up, by an administrator, or by a first sign-in through a provider or the
    /// legacy system.
    ///
    /// # Errors
    /// A refusal, whose message the client receives with 403 `hook_refused`.
    fn before_sign_up(&self, request: &SignUpRequest) -> impl Future<Output = Result<(), Refusal>> + Send {
        async { Ok(()) }
    }

    /// Called after a user was created.
    fn after_sign_up(&self, user: &User) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Called when a user has proven their first factor, before a second one is required, and before a session is opened.
    ///
    /// # Errors
    /// As [`Self::before_sign_up`].
    fn before_sign_in(&self, request: &SignInRequest) -> impl Future<Output = Result<(), Refusal>> + Send {
        async { Ok(()) }
    }

    /// Called after a session was opened.
    fn after_sign_in(&self, user: &User, session: SessionId) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Called before a user is deleted.
    ///
    /// # Errors
    /// As [`Self::before_sign_up`].
    fn before_deletion(&self, user: &User) -> impl Future<Output = Result<(), Refusal>> + Send {
        async { Ok(()) }
    }

    /// Called after a user was deleted.
    fn after_deletion(&self, user: &User) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Calls the hooks of an application within a time limit.
pub(super) struct Runner<H> {
    hooks: Arc<H>,
    time_limit: Duration,
    tasks: TaskTracker,
}

impl<H: Hooks> Runner<H> {
    pub(super) fn new(hooks: H, time_limit: Duration, tasks: TaskTracker) -> Self {
        Self { hooks: Arc::new(hooks), time_limit, tasks }
    }
}

#[async_trait]
impl<H: Hooks> hooks::Hooks for Runner<H> {
    async fn before(&self, operation: Before) -> Result<(), HookError> {
        let hooks = &self.hooks;
        let (hook, asked) = match &operation {
            Before::SignUp(request) => ("before_sign_up", hooks.before_sign_up(request).boxed()),
            Before::SignIn(request) => ("before_sign_in", hooks.before_sign_in(request).boxed()),
            Before::Deletion(user) => ("before_deletion", hooks.before_deletion(user).boxed()),
        };
        match bounded(hook, self.time_limit, asked).await {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => {
                tracing::info!(hook, "a hook refused the operation");
                Err(HookError::Refused(refusal))
            }
            None => Err(HookError::Failed),
        }
    }

    fn after(&self, operation: After) {
        let (hooks, time_limit) = (Arc::clone(&self.hooks), self.time_limit);
        self.tasks.spawn(async move {
            let (hook, notified) = match &operation {
                After::SignUp(user) => ("after_sign_up", hooks.after_sign_up(user).boxed()),
                After::SignIn(user, session) => ("after_sign_in", hooks.after_sign_in(user, *session).boxed()),
                After::Deletion(user) => ("after_deletion", hooks.after_deletion(user).boxed()),
            };
            bounded(hook, time_limit, notified).await;
        });
    }
}

/// The value of a hook; `None`, which is logged, if it panics or takes too long.
async fn bounded<T>(hook: &'static str, time_limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    match timeout(time_limit, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(value)) => Some(value),
        // The message of the panic is logged by the panic hook of the process.
        Ok(Err(_)) => {
            tracing::error!(hook, "a hook panicked");
            None
        }
        Err(_) => {
            let limit_ms = u64::try_from(time_limit.as_millis()).unwrap_or(u64::MAX);
            tracing::error!(hook, limit_ms, "a hook exceeded its time limit");
            None
        }
    }
}
