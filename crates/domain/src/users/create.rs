//! Create a user.

use super::{Attributes, DisplayName, EmailAddress, Locale, Status, User};
use super::{created, require_allowed_domain};
use crate::access::Permission;
use crate::budgets::{self, MailCause};
use crate::credentials::{NewPassword, Password, verify_email};
use crate::ctx::{Ctx, SignupMode};
use crate::error::{Conflict, Error, Result, Unauthenticated};
use crate::events::catalogue::Source;
use crate::events::record;
use crate::hooks::{self, After};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::roles::{RoleName, require_grantable, require_known};
use crate::store::WriteTx;

/// What a new account is made of.
#[derive(Debug)]
pub struct NewUser {
    /// The email address.
    pub email: EmailAddress,
    /// The password.
    pub password: NewPassword,
    /// Display name.
    pub name: DisplayName,
    /// The role. A role other than `user` can only be set by an administrator.
    pub role: Option<RoleName>,
    /// Preferred language.
    pub locale: Option<Locale>,
    /// Preferences of the user.
    pub attributes: Attributes,
    /// Attributes that only an administrator can set.
    pub app_attributes: Option<Attributes>,
}

/// What came of a sign-up.
#[derive(Debug)]
pub enum SignUp {
    /// This user was created.
    Created(Box<User>),
    /// The answer does not tell whether an account was created: see [`sign_up`].
    Concealed,
}

/// Signs up, or adds a user for a caller who may write users. Open to everybody or to admins only, by `signup.mode`.
///
/// With `signup.conceal_existing` the outcome for other callers is [`SignUp::Concealed`], whether the address is taken or
/// free. An account that was created so is pending: it cannot be signed in to before its address is proven by the mailed
/// link, or the password that was chosen here would tell whether the address was free. The owner of a taken address is
/// mailed that there is an account.
pub async fn sign_up(ctx: &Ctx, new: NewUser) -> Result<SignUp> {
    if !conceals(ctx) {
        return Ok(SignUp::Created(Box::new(create(ctx, new).await?)));
    }
    require_allowed(ctx, &new).await?;
    let password = accept_password(ctx, new.password, &new.email, &new.name)?;
    // Before anything depends on whether the address is taken.
    hooks::before_sign_up(ctx, &new.email, &new.name, &RoleName::user(), Source::SignUp).await?;
    let hash = ctx.services().hasher.hash(&password, ctx.origin()).await?;
    let user = User { status: Status::Invited, ..user_of(ctx, new.email, new.name, new.locale, new.attributes) };
    let mut tx = ctx.write().await?;
    let is_free = tx.insert_user(&user).await?;
    if is_free {
        tx.set_password(user.id, &hash, ctx.now()).await?;
        record(ctx, &mut *tx, user.id, created(&user, Source::SignUp));
    }
    budgets::admit_attributes(ctx, &mut *tx, &user.attributes).await?;
    if budgets::admit_mail(ctx, &mut *tx, &user.email, MailCause::SignUp).await? {
        if is_free {
            verify_email::begin(ctx, &mut *tx, &user).await?;
        } else {
            remind(ctx, &mut *tx, &user.email).await?;
        }
    }
    ctx.commit(tx).await?;
    if is_free {
        hooks::after(ctx, || After::SignUp(Box::new(user))).await?;
    }
    Ok(SignUp::Concealed)
}

/// Whether the caller must not learn whether an address has an account.
pub(super) fn conceals(ctx: &Ctx) -> bool {
    ctx.policy().is_sign_up_concealed() && !ctx.holds(Permission::UsersWrite)
}

/// Mails the owner of a taken address that there is an account; or the link again, if it is pending.
async fn remind(ctx: &Ctx, tx: &mut dyn WriteTx, email: &EmailAddress) -> Result<()> {
    let Some(user) = tx.find_user_by_email(email).await? else { return Ok(()) };
    if is_pending(tx, &user).await? {
        return verify_email::begin(ctx, tx, &user).await;
    }
    let expires_at = ctx.now().plus_seconds(mail::NEWS_KEPT_S);
    mail::enqueue(ctx, tx, (&user, &user.email), MailSubject::AccountExists, expires_at).await
}

/// Whether the account waits for the proof of its address: it was signed up for with `signup.conceal_existing`. An invited
/// user has no password: no other account opens by a verification link.
pub(crate) async fn is_pending(tx: &mut dyn WriteTx, user: &User) -> Result<bool> {
    let may_be = user.status == Status::Invited && !user.email_verified;
    Ok(may_be && tx.find_password(user.id).await?.is_some())
}

/// Creates an account and answers with it, or that the address is taken. Open to everybody or to admins only, by
/// `signup.mode`.
///
/// # Errors
/// [`Error::SignupClosed`] when nobody is signed in and sign-up is closed.
pub async fn create(ctx: &Ctx, new: NewUser) -> Result<User> {
    require_allowed(ctx, &new).await?;
    let password = accept_password(ctx, new.password, &new.email, &new.name)?;
    // Before the hash: a taken address should not cost one. The insert still decides.
    if ctx.store().read().await?.find_user_by_email(&new.email).await?.is_some() {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    let source = if ctx.holds(Permission::UsersWrite) { Source::Admin } else { Source::SignUp };
    let role = new.role.clone().unwrap_or_else(RoleName::user);
    hooks::before_sign_up(ctx, &new.email, &new.name, &role, source).await?;
    let hash = ctx.services().hasher.hash(&password, ctx.origin()).await?;

    let user = User {
        role,
        app_attributes: new.app_attributes.unwrap_or_default(),
        ..user_of(ctx, new.email, new.name, new.locale, new.attributes)
    };
    let mut tx = ctx.write().await?;
    if user.role != RoleName::user() {
        require_grantable(ctx, &mut *tx, &user.role).await?;
    }
    if !tx.insert_user(&user).await? {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    tx.set_password(user.id, &hash, ctx.now()).await?;
    record(ctx, &mut *tx, user.id, created(&user, source));
    budgets::admit_attributes(ctx, &mut *tx, &user.attributes).await?;
    if budgets::admit_mail(ctx, &mut *tx, &user.email, MailCause::SignUp).await? {
        verify_email::begin(ctx, &mut *tx, &user).await?;
    }
    ctx.commit(tx).await?;
    hooks::after(ctx, || After::SignUp(Box::new(user.clone()))).await?;
    Ok(user)
}

async fn require_allowed(ctx: &Ctx, new: &NewUser) -> Result<()> {
    if ctx.policy().signup == SignupMode::Closed {
        ctx.require(Permission::UsersWrite).map_err(|error| match error {
            Error::Unauthenticated(Unauthenticated::Missing) => Error::SignupClosed,
            other => other,
        })?;
    }
    if new.role.is_some() || new.app_attributes.is_some() {
        ctx.require(Permission::UsersWrite)?;
    }
    if let Some(role) = &new.role {
        require_known(ctx, role).await?;
    }
    require_allowed_domain(ctx, &new.email)?;
    let app_attributes = new.app_attributes.clone().unwrap_or_default();
    ctx.services().attributes_schemas.check(&new.attributes, &app_attributes).map_err(Error::Invalid)
}

fn accept_password(ctx: &Ctx, new: NewPassword, email: &EmailAddress, name: &DisplayName) -> Result<Password> {
    Ok(new.for_user(ctx.policy(), email, name).map_err(|rule| rule.at("password"))?)
}

fn user_of(ctx: &Ctx, email: EmailAddress, name: DisplayName, locale: Option<Locale>, attributes: Attributes) -> User {
    let now = ctx.now();
    User {
        id: UserId::from_uuid(ctx.new_id()),
        email,
        email_verified: false,
        name,
        role: RoleName::user(),
        status: Status::Active,
        locale,
        attributes,
        app_attributes: Attributes::default(),
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        version: 1,
        deletion: None,
    }
}
