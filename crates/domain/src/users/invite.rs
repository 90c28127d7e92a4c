//! Invite somebody to join.

use secrecy::SecretString;

use super::{Attributes, DisplayName, EmailAddress, Locale, Status, User};
use super::{created, record_update};
use crate::access::Permission;
use crate::budgets::{self, MailCause};
use crate::credentials::NewPassword;
use crate::credentials::first_proof::{EarlierPassword, take_over};
use crate::credentials::verify_email::verified;
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, Result};
use crate::events::catalogue::{Cause, Source};
use crate::events::{Happened, record, record_by};
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::one_time::{self, Purpose};
use crate::roles::{RoleName, require_grantable, require_known};
use crate::store::WriteTx;

/// An invitation.
#[derive(Debug)]
pub struct Invitation {
    /// The email address that the link is sent to.
    pub email: EmailAddress,
    /// What to call them, until they say so themselves.
    pub name: Option<DisplayName>,
    /// The role of the user. Default: `user`.
    pub role: Option<RoleName>,
    /// Preferred language.
    pub locale: Option<Locale>,
}

/// Invites somebody: a user who cannot sign in until the mailed link has set a password. Who was invited and has not come
/// yet is mailed a new link, in place of the one before.
///
/// # Errors
/// [`Conflict::EmailTaken`] when somebody who has joined has the address; [`Error::NotOffered`] where no mail is sent.
pub async fn invite(ctx: &Ctx, invitation: Invitation) -> Result<User> {
    ctx.require(Permission::UsersWrite)?;
    if !ctx.policy().sends_mail {
        return Err(Error::NotOffered);
    }
    let role = invitation.role.unwrap_or_else(RoleName::user);
    require_known(ctx, &role).await?;

    let now = ctx.now();
    let name = invitation.name.unwrap_or_else(|| DisplayName::from_stored(invitation.email.to_string()));
    let new = User {
        id: UserId::from_uuid(ctx.new_id()),
        email: invitation.email,
        email_verified: false,
        name,
        role,
        status: Status::Invited,
        locale: invitation.locale,
        attributes: Attributes::default(),
        app_attributes: Attributes::default(),
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
        version: 1,
        deletion: None,
    };
    let mut tx = ctx.write().await?;
    require_grantable(ctx, &mut *tx, &new.role).await?;
    let user = if tx.insert_user(&new).await? {
        record(ctx, &mut *tx, new.id, created(&new, Source::Invitation));
        new
    } else {
        let invited = tx.find_user_by_email(&new.email).await?;
        let invited = invited.filter(|user| user.status == Status::Invited && user.role == new.role);
        invited.ok_or(Error::Conflict(Conflict::EmailTaken))?
    };
    record(ctx, &mut *tx, user.id, Happened::UserInvited { email: user.email.clone() });
    // Beyond the budget of the mailbox the link that it has stays valid.
    if budgets::admit_mail(ctx, &mut *tx, &user.email, MailCause::Invitation).await? {
        let token = one_time::make(ctx, &mut *tx, user.id, Purpose::Invitation, &user.email).await?;
        let subject = MailSubject::Invitation(token.id);
        mail::enqueue(ctx, &mut *tx, (&user, &user.email), subject, token.expires_at).await?;
    }
    ctx.commit(tx).await?;
    Ok(user)
}

/// Joins by the token of a mailed link: sets the password, and the name when one is said. The address is proven with it.
///
/// # Errors
/// The field `token` when it is not good; the field `password` when it is made of the user's own words.
pub async fn accept(ctx: &Ctx, token: &SecretString, new: NewPassword, name: Option<DisplayName>) -> Result<User> {
    let id = one_time::read(ctx, Purpose::Invitation, token)?;
    let mut read = ctx.store().read().await?;
    // To look costs nothing, and a hash does. Taking the token decides.
    let found = read.find_one_time_token(id, Purpose::Invitation, ctx.now()).await?;
    let invited = found.ok_or_else(one_time::refused)?.user_id;
    let user = read.find_user(invited).await?.ok_or_else(one_time::refused)?;
    drop(read);
    let name = name.unwrap_or(user.name);
    let new = new.for_user(ctx.policy(), &user.email, &name).map_err(|rule| rule.at("password"))?;
    let hash = ctx.services().hasher.hash(&new, ctx.origin()).await?;

    let mut tx = ctx.write().await?;
    let (token, user) = one_time::take(ctx, &mut *tx, Purpose::Invitation, id).await?;
    if user.status != Status::Invited || user.email != token.email {
        return Err(one_time::refused());
    }
    let user = activate(ctx, &mut *tx, user, name, EarlierPassword::Replaced).await?;
    tx.set_password(user.id, &hash, ctx.now()).await?;
    record_by(ctx, &mut *tx, user.id, Happened::PasswordChanged { cause: Cause::Joined });
    ctx.commit(tx).await?;
    Ok(user)
}

/// Activates an invited, [locked](crate::users::store::UserWrites::lock_user) user, whose address is proven.
pub(crate) async fn activate(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    before: User,
    name: DisplayName,
    password: EarlierPassword,
) -> Result<User> {
    take_over(ctx, tx, &before, password).await?;
    let user = User { name, status: Status::Active, ..verified(ctx, before.clone()) };
    tx.update_user(&user).await?;
    record_update(ctx, tx, &before, &user);
    Ok(user)
}
