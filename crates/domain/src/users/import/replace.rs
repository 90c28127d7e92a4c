//! Replaces the profile and the given credentials of an existing user.

use secrecy::ExposeSecret;

use super::attach::{api_key, carries_recovery_codes, factor, identity, passkey};
use super::conflict::email_taken;
use super::{ImportIds, ImportOutcome, ImportedLine, Row};
use crate::access::Actor;
use crate::api_keys::{self, ApiKey};
use crate::ctx::Ctx;
use crate::error::{Error, FieldError, Result};
use crate::events::catalogue::{Cause, FactorKind};
use crate::events::{Happened, record};
use crate::factors::totp;
use crate::id::UserId;
use crate::mail::{self, MailSubject};
use crate::pending::Ending;
use crate::providers::Issuers;
use crate::roles::require_authority;
use crate::sessions::{EndReason, end_all_by};
use crate::store::WriteTx;
use crate::users::{Deletion, Status, User, change_email, record_update};
use crate::webhooks;

/// Applies a line to an existing user.
pub(super) async fn replace(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    issuers: &Issuers,
    (row, id, ids): (&Row, UserId, ImportIds),
    result: &mut ImportedLine,
) -> Result<ImportOutcome> {
    let Some(before) = tx.lock_user(id).await? else { return Ok(ImportOutcome::Refused(vec![email_taken()])) };
    let refuse =
        |field: &str, code, message: &str| Ok(ImportOutcome::Refused(vec![FieldError::new(field, code, message)]));
    // Users change their own credentials only with proof of the current ones, which an import does not have.
    let is_authorized = match require_authority(ctx, tx, &before).await {
        Ok(()) => !ctx.is_user(id),
        Err(Error::Forbidden | Error::NotHeld) => false,
        Err(error) => return Err(error),
    };
    if !is_authorized {
        return refuse("email", "not_allowed", "must not be the importing user or one with more permissions");
    }
    let after = merged(&before, row);
    if after.email != before.email && tx.find_user_by_email(&after.email).await?.is_some() {
        return Ok(ImportOutcome::Refused(vec![email_taken()]));
    }
    if before.is_active_admin() && !after.is_active_admin() && !tx.has_other_active_admin(id).await? {
        return refuse("role", "last_admin", "must leave an active administrator");
    }

    let is_profile_changed = after != before;
    if is_profile_changed {
        save(ctx, tx, &before, after.clone()).await?;
    }
    let mut change = Change { ctx, tx, row, user: id, end_reason: None, notifications: Vec::new() };
    change.password().await?;
    change.totp().await?;
    change.recovery_codes(ids, result).await?;
    change.passkeys(result).await?;
    change.identities(issuers, result).await?;
    let has_new_keys = change.api_keys(result).await?;
    let Change { end_reason, notifications, .. } = change;
    if before.status == Status::Active && after.status != Status::Active {
        end_all_by(ctx, tx, id, EndReason::UserDisabled, Ending::Disabled).await?;
    } else if let Some(reason) = end_reason {
        end_all_by(ctx, tx, id, reason, Ending::AllSessions).await?;
    }
    if *ctx.actor() != Actor::Operator {
        for subject in notifications {
            mail::tell(ctx, tx, &before, subject).await?;
        }
    }
    let is_changed = is_profile_changed || end_reason.is_some() || has_new_keys;
    Ok(if is_changed { ImportOutcome::Updated(id) } else { ImportOutcome::Skipped })
}

/// The user with the fields of the line.
fn merged(before: &User, row: &Row) -> User {
    let line = &row.line;
    let is_still_verified = before.email_verified && line.email == before.email;
    User {
        email: line.email.clone(),
        email_verified: line.email_verified.unwrap_or(is_still_verified),
        name: line.name.clone(),
        role: line.role.clone().unwrap_or_else(|| before.role.clone()),
        status: line.status.unwrap_or(before.status),
        locale: line.locale.clone().or_else(|| before.locale.clone()),
        attributes: line.attributes.clone().unwrap_or_else(|| before.attributes.clone()),
        app_attributes: line.app_attributes.clone().unwrap_or_else(|| before.app_attributes.clone()),
        last_sign_in_at: before.last_sign_in_at.max(line.last_sign_in_at),
        deletion: deletion(before, row),
        ..before.clone()
    }
}

/// The scheduled deletion with the fields of the line. A user with another status than disabled has none.
fn deletion(before: &User, row: &Row) -> Option<Deletion> {
    let status_before = before.deletion.map_or(before.status, |deletion| deletion.status_before);
    let given = row.line.delete_after.map(|after| Deletion { after, status_before });
    given.or(before.deletion).filter(|_| row.line.status.unwrap_or(before.status) == Status::Disabled)
}

async fn save(ctx: &Ctx, tx: &mut dyn WriteTx, before: &User, mut user: User) -> Result<()> {
    user.version += 1;
    user.updated_at = ctx.now();
    if !tx.update_user(&user).await? {
        return Err(Error::Conflict(crate::error::Conflict::EmailTaken));
    }
    record_update(ctx, tx, before, &user);
    if user.status != before.status || user.role != before.role {
        webhooks::disable_unauthorized(ctx, tx).await?;
    }
    if user.email != before.email {
        change_email::changed(ctx, tx, before).await?;
    }
    Ok(())
}

/// Replaces the credentials of a user by those of a line.
struct Change<'a> {
    ctx: &'a Ctx,
    tx: &'a mut dyn WriteTx,
    row: &'a Row,
    user: UserId,
    /// Why the sessions of the user end.
    end_reason: Option<EndReason>,
    /// What the user is notified of.
    notifications: Vec<MailSubject>,
}

impl Change<'_> {
    fn record(&mut self, happened: Happened) {
        record(self.ctx, self.tx, self.user, happened);
    }

    fn notify(&mut self, subject: MailSubject) {
        if !self.notifications.contains(&subject) {
            self.notifications.push(subject);
        }
    }

    async fn password(&mut self) -> Result<()> {
        let Some(hash) = &self.row.line.password_hash else { return Ok(()) };
        let current = self.tx.find_password(self.user).await?;
        if current.is_none_or(|current| current.expose() != hash.expose()) {
            self.tx.set_password(self.user, hash, self.ctx.now()).await?;
            self.record(Happened::PasswordChanged { cause: Cause::Set });
            self.end_reason = Some(EndReason::PasswordChanged);
            self.notify(MailSubject::PasswordChanged);
            // A password set by another user invalidates the API keys. If the line has keys, `api_keys` replaces them.
            if self.row.line.credentials.api_keys.is_none() {
                api_keys::delete_all(self.ctx, self.tx, self.user).await?;
            }
        }
        Ok(())
    }

    async fn totp(&mut self) -> Result<()> {
        let Some(given) = &self.row.line.credentials.totp else { return Ok(()) };
        let current = self.tx.find_totp(self.user).await?;
        if let Some(current) = current.as_ref().filter(|current| current.confirmed_at.is_some()) {
            let secret = totp::unseal(self.ctx, current)?;
            if secret.expose_secret() == given.secret.expose_secret() {
                return Ok(());
            }
            self.record(Happened::FactorRemoved { factor: FactorKind::Totp });
        }
        self.tx.remove_totp(self.user).await?;
        self.tx.insert_totps(&[factor(self.ctx, self.user, given)]).await?;
        self.record(Happened::FactorAdded { factor: FactorKind::Totp });
        self.notify(MailSubject::SecondFactorAdded);
        self.end_reason.get_or_insert(EndReason::SecondFactorChanged);
        Ok(())
    }

    async fn recovery_codes(&mut self, ids: ImportIds, result: &mut ImportedLine) -> Result<()> {
        let Some(given) = &self.row.line.credentials.recovery_codes else { return Ok(()) };
        if !carries_recovery_codes(self.row, self.user, ids) {
            result.not_carried.recovery_codes += given.len() as u64;
            return Ok(());
        }
        let current = self.tx.recovery_codes_of(&[self.user]).await?;
        let is_same = current.len() == given.len() && current.iter().all(|(_, code)| given.contains(code));
        if !is_same {
            self.tx.set_recovery_codes(self.user, given).await?;
            self.record(Happened::RecoveryCodesReplaced {});
            self.notify(MailSubject::RecoveryCodesReplaced);
            self.end_reason.get_or_insert(EndReason::SecondFactorChanged);
        }
        Ok(())
    }

    async fn passkeys(&mut self, result: &mut ImportedLine) -> Result<()> {
        let Some(given) = &self.row.line.credentials.passkeys else { return Ok(()) };
        let current = self.tx.list_passkeys(self.user).await?;
        for passkey in &current {
            if !given.iter().any(|given| given.credential.id == passkey.credential.id) {
                self.tx.remove_passkey(self.user, passkey.id).await?;
                self.record(Happened::PasskeyRemoved { passkey_id: passkey.id, name: passkey.name.clone() });
                self.end_reason.get_or_insert(EndReason::SecondFactorChanged);
            }
        }
        for given in given {
            if current.iter().any(|current| current.credential.id == given.credential.id) {
                continue;
            }
            let passkey = passkey(self.ctx, self.user, given);
            if self.tx.insert_passkey(&passkey).await? {
                self.record(Happened::PasskeyAdded { passkey_id: passkey.id, name: passkey.name });
                self.notify(MailSubject::PasskeyAdded);
                self.end_reason.get_or_insert(EndReason::SecondFactorChanged);
            } else {
                result.not_carried.passkeys += 1;
            }
        }
        Ok(())
    }

    async fn identities(&mut self, issuers: &Issuers, result: &mut ImportedLine) -> Result<()> {
        let Some(given) = &self.row.line.credentials.identities else { return Ok(()) };
        let current = self.tx.list_identities(self.user).await?;
        for identity in &current {
            if !given.iter().any(|given| given.issuer == identity.issuer && given.subject == identity.subject) {
                self.tx.remove_identity(self.user, identity.id).await?;
                let (identity_id, provider) = (identity.id, identity.provider.to_string());
                self.record(Happened::IdentityUnlinked { identity_id, provider });
                self.end_reason.get_or_insert(EndReason::Revoked);
            }
        }
        for given in given {
            if current.iter().any(|current| current.issuer == given.issuer && current.subject == given.subject) {
                continue;
            }
            let Some(provider) = issuers.provider_of(given) else {
                result.not_carried.identities += 1;
                continue;
            };
            let identity = identity(self.ctx, self.user, provider, given);
            // A line with an identity of another user was refused before.
            if self.tx.insert_identity(&identity).await? {
                let (identity_id, provider) = (identity.id, identity.provider.to_string());
                self.record(Happened::IdentityLinked { identity_id, provider });
                self.notify(MailSubject::IdentityLinked);
                self.end_reason.get_or_insert(EndReason::Revoked);
            }
        }
        Ok(())
    }

    /// Returns whether a key was added or removed. Sessions do not depend on keys.
    async fn api_keys(&mut self, result: &mut ImportedLine) -> Result<bool> {
        let Some(given) = &self.row.line.credentials.api_keys else { return Ok(false) };
        let current = self.tx.api_keys_of(&[self.user]).await?;
        let mut is_changed = false;
        for (key, secret) in &current {
            let is_same = |given: &super::ImportApiKey| given.id == key.id && given.secret_hash == *secret;
            if !given.iter().any(is_same) {
                self.tx.delete_api_key(key.id).await?;
                self.record(Happened::ApiKeyDeleted { api_key_id: key.id });
                is_changed = true;
            }
        }
        for given in given {
            if current.iter().any(|(key, secret)| key.id == given.id && *secret == given.secret_hash) {
                continue;
            }
            let (key, secret) = api_key(self.ctx, self.user, given);
            if self.tx.insert_api_keys(&[(key.clone(), secret)]).await?.is_empty() {
                result.not_carried.api_keys += 1;
                continue;
            }
            let ApiKey { id, name, scopes, expires_at, .. } = key;
            self.record(Happened::ApiKeyCreated { api_key_id: id, name, scopes, expires_at });
            is_changed = true;
        }
        Ok(is_changed)
    }
}
