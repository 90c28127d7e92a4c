//! Create the first administrator with a link.

use secrecy::SecretString;

use super::{admin_exists, mac};
use crate::access::Actor;
use crate::credentials::{NewPassword, verify_email};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::catalogue::Source;
use crate::events::record;
use crate::id::UserId;
use crate::one_time::refused;
use crate::roles::RoleName;
use crate::users::{Attributes, DisplayName, EmailAddress, Locale, Status, User, created};

/// The first administrator.
#[derive(Debug)]
pub struct NewAdmin {
    /// The email address.
    pub email: EmailAddress,
    /// The password.
    pub password: NewPassword,
    /// Display name.
    pub name: DisplayName,
    /// Preferred language.
    pub locale: Option<Locale>,
}

/// Checks that a link can be used. To look before costly work; only [`complete`] decides.
///
/// # Errors
/// A field error of `token` if the link is not the current one or has expired, or there is an active administrator.
pub async fn require_open(ctx: &Ctx, token: &SecretString) -> Result<()> {
    let token_mac = mac(ctx.services().vault.as_ref(), token);
    let mut read = ctx.store().read().await?;
    let is_open = read.has_setup_link(&token_mac, ctx.now()).await? && !admin_exists(&mut *read).await?;
    if is_open { Ok(()) } else { Err(refused()) }
}

/// Creates the first administrator, and uses the link up. Its holder acts as the operator, who has issued it.
///
/// # Errors
/// As [`require_open`]; and if the address is taken, or the password is not acceptable.
pub async fn complete(ctx: &Ctx, token: &SecretString, new: NewAdmin) -> Result<User> {
    require_open(ctx, token).await?;
    let NewAdmin { email, password, name, locale } = new;
    let password = password.for_user(ctx.policy(), &email, &name).map_err(|rule| rule.at("password"))?;
    let hash = ctx.services().hasher.hash(&password, ctx.origin()).await?;
    let ctx = &ctx.by(Actor::Operator);
    let now = ctx.now();
    let user = User {
        id: UserId::from_uuid(ctx.new_id()),
        email,
        email_verified: false,
        name,
        role: RoleName::admin(),
        status: Status::Active,
        locale,
        attributes: Attributes::default(),
        app_attributes: Attributes::default(),
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        version: 1,
        deletion: None,
    };
    let mut tx = ctx.write().await?;
    // Under the lock of administrators: of several links and nodes, one creates the first.
    if tx.has_other_active_admin(user.id).await?
        || !tx.take_setup_link(&mac(ctx.services().vault.as_ref(), token), now).await?
    {
        return Err(refused());
    }
    if !tx.insert_user(&user).await? {
        return Err(Error::Conflict(Conflict::EmailTaken));
    }
    tx.set_password(user.id, &hash, now).await?;
    record(ctx, &mut *tx, user.id, created(&user, Source::Admin));
    if ctx.policy().sends_mail {
        verify_email::begin(ctx, &mut *tx, &user).await?;
    }
    ctx.commit(tx).await?;
    Ok(user)
}
