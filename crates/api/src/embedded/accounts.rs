//! The use cases that applications need, as plain calls.

use std::sync::Arc;

use denizen_domain::access::{Actor, Origin, Principal};
use denizen_domain::credentials::{self, NewPassword};
use denizen_domain::error::{Error, Resource, Result};
use denizen_domain::id::{SessionId, UserId};
use denizen_domain::idempotency::DeferredCommit;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, Attributes, DeletionTime, EmailAddress, Status, User, UserChange};
use denizen_domain::value::Object;
use denizen_domain::{Ctx, Services, sessions, tokens};
use secrecy::SecretString;

use crate::json_form::Fields;
use crate::new_user::{self, RawUser};

/// The use cases that applications need, as plain calls: the same functions that REST and gRPC call, with the same rules,
/// events and errors.
///
/// Calls are made in the name of the application, which may do everything, like the command line; see
/// [`Self::acting_as`]. Each call is one transaction, which is durable when the call returns.
///
/// ```no_run
/// use denizen::Denizen;
/// use denizen::accounts::NewAccount;
///
/// # async fn example(denizen: Denizen) -> Result<(), denizen::types::Error> {
/// let accounts = denizen.accounts();
/// let new = NewAccount::new("ada@example.com", "correct horse battery", "Ada Lovelace").role("editor");
/// let user = accounts.create_user(new).await?;
/// let found = accounts.find_user_by_email("ada@example.com").await?;
/// assert_eq!(found.map(|found| found.id), Some(user.id));
/// accounts.delete_user(user.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Accounts(Ctx);

impl Accounts {
    pub(super) fn new(services: Arc<Services>) -> Self {
        Self(Ctx::new(services, Actor::Operator, Origin::default()))
    }

    /// The same calls, whose transaction stays open.
    pub(super) fn deferring_commit(&self, deferred: Arc<DeferredCommit>) -> Self {
        Self(self.0.clone().deferring_commit(deferred))
    }

    /// The same calls in the name of a caller, with their permissions only: for a route of the application that passes its
    /// request on. Events name the caller.
    #[must_use]
    pub fn acting_as(&self, principal: Principal) -> Self {
        Self(self.0.by(Actor::Known(principal)))
    }

    /// Creates a user, and mails them a link that verifies their address, if mail is configured.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the invalid fields; `Conflict::EmailTaken`.
    pub async fn create_user(&self, new: NewAccount) -> Result<User> {
        let mut fields = Fields::default();
        let raw = RawUser {
            email: &new.email,
            password: &new.password,
            name: &new.name,
            role: new.role.as_deref(),
            locale: new.locale.as_deref(),
            attributes: Attributes::parse(new.attributes),
            app_attributes: new.app_attributes.map(Attributes::parse).transpose(),
        };
        let parsed = new_user::parse(&mut fields, raw, self.0.policy());
        users::create(&self.0, fields.finish(parsed).map_err(Error::Invalid)?).await
    }

    /// The user with this id.
    ///
    /// # Errors
    /// If the database does not answer, or the caller is not permitted to read users.
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        optional(users::get(&self.0, id).await)
    }

    /// The user with this email address, in any letter case. `None` also if it is not an email address.
    ///
    /// # Errors
    /// As [`Self::find_user`].
    pub async fn find_user_by_email(&self, email: &str) -> Result<Option<User>> {
        let Ok(email) = EmailAddress::parse(email) else { return Ok(None) };
        optional(users::get_by_email(&self.0, &email).await)
    }

    /// Changes a user. Fields that are `None` remain unchanged.
    ///
    /// # Errors
    /// `Resource::User` if there is no such user; those of the change.
    pub async fn update_user(&self, id: UserId, change: UserChange) -> Result<User> {
        users::update(&self.0, id, change, None).await
    }

    /// Assigns a role.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such role; `Resource::User`; `Conflict::LastAdmin`.
    pub async fn assign_role(&self, id: UserId, role: &str) -> Result<User> {
        let role = RoleName::reference(role).map_err(|rule| rule.at("role"))?;
        self.update_user(id, UserChange { role: Some(role), ..UserChange::default() }).await
    }

    /// Enables or disables a user. Disabling ends all sessions.
    ///
    /// # Errors
    /// `Resource::User`; `Conflict::LastAdmin`.
    pub async fn set_status(&self, id: UserId, status: Status) -> Result<User> {
        self.update_user(id, UserChange { status: Some(status), ..UserChange::default() }).await
    }

    /// Sets the password of a user. All sessions end, and API keys are deleted.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the password is rejected; `Resource::User`.
    pub async fn set_password(&self, id: UserId, password: impl Into<SecretString>) -> Result<()> {
        let password = NewPassword::parse(&password.into(), self.0.policy().password_chars_min);
        credentials::set(&self.0, id, password.map_err(|rule| rule.at("password"))?).await
    }

    /// Ends a session. Ending it twice is not an error.
    ///
    /// # Errors
    /// `Resource::Session` if there is no such session.
    pub async fn end_session(&self, id: SessionId) -> Result<()> {
        sessions::end(&self.0, id).await
    }

    /// Ends all sessions of a user, and returns their number. Access tokens of these sessions no longer work.
    ///
    /// # Errors
    /// If the database does not answer, or the caller is not permitted to end them.
    pub async fn end_sessions(&self, id: UserId) -> Result<u64> {
        sessions::end_of_user(&self.0, id, None).await
    }

    /// Permanently deletes a user. All sessions end. With `users.deletion_grace_days`, the user is disabled and deleted
    /// after the grace period.
    ///
    /// # Errors
    /// `Resource::User`; `Conflict::LastAdmin`.
    pub async fn delete_user(&self, id: UserId) -> Result<()> {
        users::delete(&self.0, id, None, DeletionTime::AfterGracePeriod).await.map(drop)
    }

    /// Cancels the scheduled deletion of a user, and restores the previous status.
    ///
    /// # Errors
    /// `Resource::User`.
    pub async fn restore_user(&self, id: UserId) -> Result<User> {
        users::restore(&self.0, id).await
    }

    /// The caller of an access token or an API key, with their permissions now. Ended sessions, disabled users and revoked
    /// keys are rejected at once, because the database decides.
    ///
    /// # Errors
    /// `Unauthenticated::InvalidToken`; or the database does not answer.
    pub async fn verify_token(&self, token: &str) -> Result<Principal> {
        tokens::authenticate(self.0.services(), token).await
    }
}

/// Absence as a value.
fn optional(found: Result<User>) -> Result<Option<User>> {
    match found {
        Ok(user) => Ok(Some(user)),
        Err(Error::NotFound(Resource::User)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new user. The values are validated by [`Accounts::create_user`], by the rules of the REST API.
#[must_use]
pub struct NewAccount {
    email: String,
    password: SecretString,
    name: String,
    role: Option<String>,
    locale: Option<String>,
    attributes: Object,
    app_attributes: Option<Object>,
}

impl NewAccount {
    /// A user with the role `user`, no language and no attributes.
    pub fn new(email: impl Into<String>, password: impl Into<SecretString>, name: impl Into<String>) -> Self {
        let (email, password, name) = (email.into(), password.into(), name.into());
        Self { email, password, name, role: None, locale: None, attributes: Object::new(), app_attributes: None }
    }

    /// With this role.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// With this preferred language (BCP 47).
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// With these custom attributes. Users can change them: do not base authorization on them.
    pub fn attributes(mut self, attributes: Object) -> Self {
        self.attributes = attributes;
        self
    }

    /// With these custom attributes, which users can read but not change.
    pub fn app_attributes(mut self, attributes: Object) -> Self {
        self.app_attributes = Some(attributes);
        self
    }
}
