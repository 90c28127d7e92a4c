//! What was asked for by an address, when it comes to sending: only here is looked whether anybody has it.

use std::sync::Arc;

use super::{DueMail, Mail, MailSubject, Wanted, enqueue};
use crate::access::{Actor, Origin};
use crate::credentials::verify_email;
use crate::ctx::{Ctx, Services};
use crate::error::Result;
use crate::one_time::{self, Purpose};
use crate::users::{Status, User, is_pending};

/// Makes the link that was asked for, and a mail with it in place of the wish, when there is somebody to have it.
pub(super) async fn grant(services: &Arc<Services>, due: &DueMail, mail: &Mail, wanted: Wanted) -> Result<()> {
    let origin = Origin { language: mail.locale.clone(), ..Origin::default() };
    let ctx = Ctx::new(Arc::clone(services), Actor::System, origin);
    let mut tx = services.store.write().await?;
    // Whoever granted it before has removed it.
    if !tx.remove_mail(due.id).await? {
        return Ok(());
    }
    let user = tx.find_user_by_email(&mail.to).await?;
    if let Some(user) = &user
        && is_pending(&mut *tx, user).await?
    {
        // Nothing else can be done with the account before its address is proven.
        verify_email::begin(&ctx, &mut *tx, user).await?;
    } else if let Some(user) = user.filter(|user| user.status == Status::Active) {
        match wanted {
            Wanted::EmailVerification if user.email_verified => {}
            Wanted::EmailVerification => verify_email::begin(&ctx, &mut *tx, &user).await?,
            Wanted::PasswordReset | Wanted::SignInLink => {
                let purpose = if wanted == Wanted::PasswordReset { Purpose::PasswordReset } else { Purpose::SignIn };
                let token = one_time::make(&ctx, &mut *tx, user.id, purpose, &user.email).await?;
                let subject = match wanted {
                    Wanted::PasswordReset => MailSubject::PasswordReset(token.id),
                    Wanted::EmailVerification | Wanted::SignInLink => MailSubject::SignInLink(token.id),
                };
                enqueue(&ctx, &mut *tx, (&user, &user.email), subject, token.expires_at).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(())
}

/// The mail as it is to be sent now; `None` when there is nobody to have it any more, or never was.
pub(super) async fn addressed(services: &Services, mail: &Mail) -> Result<Option<Mail>> {
    match mail.subject {
        MailSubject::SignInCode(id) => {
            let mut read = services.store.read().await?;
            let challenge = read.find_challenge(id, services.clock.now()).await?;
            let Some(owner) = challenge.and_then(|challenge| challenge.user_id) else { return Ok(None) };
            Ok(read.find_user(owner).await?.map(|user| called(mail, user)))
        }
        // Somebody else may have the address: they are not written to.
        MailSubject::EmailChange(_) => {
            let is_free = services.store.read().await?.find_user_by_email(&mail.to).await?.is_none();
            Ok(is_free.then(|| mail.clone()))
        }
        // The user may have been restored or deleted since. The mail expires when the user is deleted.
        MailSubject::DeletionScheduled => {
            let found = services.store.read().await?.find_user_by_email(&mail.to).await?;
            let deletion = found.and_then(|user| user.deletion);
            Ok(deletion.filter(|deletion| deletion.after == mail.expires_at).map(|_| mail.clone()))
        }
        _ => Ok(Some(mail.clone())),
    }
}

fn called(mail: &Mail, user: User) -> Mail {
    Mail { name: user.name, locale: user.locale.or_else(|| mail.locale.clone()), ..mail.clone() }
}
