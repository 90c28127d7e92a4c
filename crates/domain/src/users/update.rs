//! Update a user.

use super::change_email;
use super::create::conceals;
use super::{Attributes, DisplayName, EmailAddress, Locale, Status, User};
use super::{record_update, require_allowed_domain};
use crate::access::Permission;
use crate::budgets::{self, MailCause};
use crate::credentials::verify_email;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Resource, Result, RuleBroken};
use crate::id::UserId;
use crate::pending::Ending;
use crate::roles::{RoleName, require_authority, require_grantable};
use crate::sessions::{EndReason, end_all_by, step_up};
use crate::value::Object;
use crate::webhooks;

/// What to change; what is `None` stays.
#[derive(Debug, Default)]
pub struct UserChange {
    /// A new address; it has yet to be verified.
    pub email: Option<EmailAddress>,
    /// A new name.
    pub name: Option<DisplayName>,
    /// Another role; needs `users:write`.
    pub role: Option<RoleName>,
    /// Another status; needs `users:write`.
    pub status: Option<Status>,
    /// Another language, or none.
    pub locale: Option<Option<Locale>>,
    /// Other attributes.
    pub attributes: Option<AttributesChange>,
    /// Other attributes of the application; needs `users:write`.
    pub app_attributes: Option<AttributesChange>,
}

/// How attributes change.
#[derive(Debug)]
pub enum AttributesChange {
    /// Exactly these from now on.
    Replace(Attributes),
    /// By a JSON Merge Patch (RFC 7396).
    Merge(Object),
}

impl AttributesChange {
    fn apply(self, before: &Attributes) -> Result<Attributes, RuleBroken> {
        match self {
            Self::Replace(attributes) => Ok(attributes),
            Self::Merge(patch) => before.merged(patch),
        }
    }
}

/// Changes a user: oneself, or anybody for those who may write users.
///
/// Where mail is sent, a user's own new address waits until it is confirmed there; all else changes at once.
///
/// `expected` lists the versions that the caller accepts to change (`If-Match`); `None` accepts any.
pub async fn update(ctx: &Ctx, id: UserId, mut change: UserChange, expected: Option<&[i64]>) -> Result<User> {
    ctx.require_self_or_write(id, Permission::UsersWrite, Permission::UsersRead)?;
    if change.role.is_some() || change.status.is_some() || change.app_attributes.is_some() {
        ctx.require(Permission::UsersWrite)?;
    }

    let mut tx = ctx.write_on(&[id.into()]).await?;
    let before = tx.lock_user(id).await?.ok_or(Error::NotFound(Resource::User))?;
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    require_authority(ctx, &mut *tx, &before).await?;
    if ctx.is_user(id) && change.email.as_ref().is_some_and(|email| *email != before.email) {
        step_up::require(ctx, &mut *tx).await?;
        change.email.as_ref().map_or(Ok(()), |email| require_allowed_domain(ctx, email))?;
    }
    let moving = postpone_email(ctx, &before, &mut change);
    if let Some(email) = &moving {
        // Signing up would tell as much, unless it conceals it.
        if !conceals(ctx) && tx.find_user_by_email(email).await?.is_some() {
            return Err(Error::Conflict(Conflict::EmailTaken));
        }
        change_email::begin(ctx, &mut *tx, &before, email).await?;
    }
    let mut user = apply(before.clone(), change)?;
    check_attributes(ctx, &before, &user)?;
    if user == before {
        // With nothing changed too: what was read may come from a write that shares this transaction.
        ctx.commit(tx).await?;
        return Ok(before);
    }
    if user.role != before.role {
        require_grantable(ctx, &mut *tx, &user.role).await?;
    }
    user.version += 1;
    user.updated_at = ctx.now();
    if !tx.update_user(&user).await? {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    if before.is_active_admin() && !user.is_active_admin() && !tx.has_other_active_admin(id).await? {
        return Err(Error::Conflict(Conflict::LastAdmin));
    }
    record_update(ctx, &mut *tx, &before, &user);
    if before.status == Status::Active && user.status != Status::Active {
        end_all_by(ctx, &mut *tx, id, EndReason::UserDisabled, Ending::Disabled).await?;
    }
    if user.status != before.status || user.role != before.role {
        webhooks::disable_unauthorized(ctx, &mut *tx).await?;
    }
    if user.email != before.email {
        change_email::changed(ctx, &mut *tx, &before).await?;
        if budgets::admit_mail(ctx, &mut *tx, &user.email, MailCause::AddressReplaced).await? {
            verify_email::begin(ctx, &mut *tx, &user).await?;
        }
    }
    ctx.commit(tx).await?;
    Ok(user)
}

/// Takes out of the change the new address that has to be confirmed first: that of whoever changes themselves.
fn postpone_email(ctx: &Ctx, before: &User, change: &mut UserChange) -> Option<EmailAddress> {
    let is_oneself = ctx.is_user(before.id);
    let is_postponed = |email: &mut EmailAddress| is_oneself && ctx.policy().sends_mail && *email != before.email;
    change.email.take_if(is_postponed)
}

/// Validates attributes that changed. Unchanged attributes may be older than the schema.
fn check_attributes(ctx: &Ctx, before: &User, user: &User) -> Result<()> {
    let changed =
        |before: &Attributes, now: &Attributes| if before == now { Attributes::default() } else { now.clone() };
    let attributes = changed(&before.attributes, &user.attributes);
    let app_attributes = changed(&before.app_attributes, &user.app_attributes);
    ctx.services().attributes_schemas.check(&attributes, &app_attributes).map_err(Error::Invalid)
}

fn apply(mut user: User, change: UserChange) -> Result<User> {
    if let Some(email) = change.email.filter(|email| *email != user.email) {
        user.email = email;
        user.email_verified = false;
    }
    if let Some(name) = change.name {
        user.name = name;
    }
    if let Some(role) = change.role {
        user.role = role;
    }
    if let Some(status) = change.status {
        user.status = status;
        // Enabling a user cancels a scheduled deletion.
        user.deletion = user.deletion.filter(|_| status == Status::Disabled);
        // Who is disabled on purpose is not enabled by a restore.
        if let Some(deletion) = &mut user.deletion {
            deletion.status_before = Status::Disabled;
        }
    }
    if let Some(locale) = change.locale {
        user.locale = locale;
    }
    if let Some(change) = change.attributes {
        user.attributes = change.apply(&user.attributes).map_err(|rule| rule.at("attributes"))?;
    }
    if let Some(change) = change.app_attributes {
        user.app_attributes = change.apply(&user.app_attributes).map_err(|rule| rule.at("app_attributes"))?;
    }
    Ok(user)
}
