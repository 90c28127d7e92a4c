//! Create a user.

use super::created;
use super::{Attributes, DisplayName, EmailAddress, Locale, Status, User};
use crate::access::Permission;
use crate::budgets::{self, MailCause};
use crate::credentials::{NewPassword, verify_email};
use crate::ctx::{Ctx, SignupMode};
use crate::error::{Conflict, Error, Result, Unauthenticated};
use crate::events::catalogue::Source;
use crate::events::record;
use crate::id::UserId;
use crate::roles::{RoleName, require_grantable, require_known};

/// What a new account is made of.
#[derive(Debug)]
pub struct NewUser {
    /// The address.
    pub email: EmailAddress,
    /// The password.
    pub password: NewPassword,
    /// What to call them.
    pub name: DisplayName,
    /// A role other than `user`; only an admin may say so.
    pub role: Option<RoleName>,
    /// The language that they read.
    pub locale: Option<Locale>,
    /// What the product keeps with the user.
    pub attributes: Attributes,
}

/// Creates an account. Open to everybody or to admins only, by `signup.mode`.
///
/// # Errors
/// [`Error::SignupClosed`] when nobody is signed in and sign-up is closed.
pub async fn create(ctx: &Ctx, new: NewUser) -> Result<User> {
    if ctx.policy().signup == SignupMode::Closed {
        ctx.require(Permission::UsersWrite).map_err(|error| match error {
            Error::Unauthenticated(Unauthenticated::Missing) => Error::SignupClosed,
            other => other,
        })?;
    }
    if new.role.is_some() {
        ctx.require(Permission::UsersWrite)?;
    }
    if let Some(role) = &new.role {
        require_known(ctx, role).await?;
    }
    let password = new.password.for_user(ctx.policy(), &new.email, &new.name).map_err(|rule| rule.at("password"))?;
    // Before the hash: a taken address should not cost one. The insert still decides.
    if ctx.store().read().await?.find_user_by_email(&new.email).await?.is_some() {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    let hash = ctx.services().hasher.hash(&password, ctx.origin()).await?;

    let now = ctx.now();
    let user = User {
        id: UserId::from_uuid(ctx.new_id()),
        email: new.email,
        email_verified: false,
        name: new.name,
        role: new.role.unwrap_or_else(RoleName::user),
        status: Status::Active,
        locale: new.locale,
        attributes: new.attributes,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        version: 1,
    };
    let mut tx = ctx.write().await?;
    if user.role != RoleName::user() {
        require_grantable(ctx, &mut *tx, &user.role).await?;
    }
    if !tx.insert_user(&user).await? {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    tx.set_password(user.id, &hash, now).await?;
    let source = if ctx.holds(Permission::UsersWrite) { Source::Admin } else { Source::SignUp };
    record(ctx, &mut *tx, user.id, created(&user, source));
    if budgets::admit_mail(ctx, &mut *tx, &user.email, MailCause::SignUp).await? {
        verify_email::begin(ctx, &mut *tx, &user).await?;
    }
    ctx.commit(tx).await?;
    Ok(user)
}
