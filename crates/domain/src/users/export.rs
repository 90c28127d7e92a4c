//! Export users with their credentials, for an import into this or another server.

use std::collections::HashMap;

use secrecy::SecretSlice;

use super::{User, UserFilter};
use crate::access::{Actor, Subject};
use crate::api_keys::{ApiKey, SecretHash};
use crate::credentials::PasswordHash;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events::{About, Happened, record};
use crate::factors::{RecoveryCodeHash, totp};
use crate::id::UserId;
use crate::identities::Identity;
use crate::keys::SealedRoot;
use crate::page::{PAGE_MAX, Page, Start};
use crate::passkeys::Passkey;
use crate::store::ReadTx;
use crate::time::Timestamp;

/// A user with their credentials.
#[derive(Debug)]
pub struct ExportedUser {
    /// The user.
    pub user: User,
    /// The password hash.
    pub password_hash: Option<PasswordHash>,
    /// The secret of the confirmed TOTP factor, and when it was confirmed.
    pub totp: Option<(SecretSlice<u8>, Timestamp)>,
    /// The MACs of the unused recovery codes.
    pub recovery_codes: Vec<RecoveryCodeHash>,
    /// Passkeys and security keys.
    pub passkeys: Vec<Passkey>,
    /// Identities at outside providers.
    pub identities: Vec<Identity>,
    /// API keys with the MACs of their secrets.
    pub api_keys: Vec<(ApiKey, SecretHash)>,
}

/// Reads all users with their credentials, in pages of one consistent snapshot.
pub struct CredentialExport {
    ctx: Ctx,
    read: Box<dyn ReadTx>,
    next: Option<Start>,
    /// The root key of the server, sealed under its master keys: MACs of recovery codes and API keys are computed with it.
    pub roots: Vec<SealedRoot>,
}

/// Begins an export with credentials, and records it. For the operator only.
///
/// # Errors
/// [`Error::Forbidden`] for all other callers.
pub async fn export_credentials(ctx: &Ctx) -> Result<CredentialExport> {
    if !matches!(ctx.actor(), Actor::Operator) {
        return Err(Error::Forbidden);
    }
    let mut tx = ctx.write().await?;
    record(ctx, &mut *tx, About::default(), Happened::UsersExported { credentials: true });
    ctx.commit(tx).await?;
    let mut read = ctx.store().snapshot().await?;
    let roots = read.sealed_roots().await?;
    Ok(CredentialExport { ctx: ctx.clone(), read, next: Some(Start::Offset(0)), roots })
}

impl CredentialExport {
    /// The next users, newest first; empty at the end.
    pub async fn next(&mut self) -> Result<Vec<ExportedUser>> {
        let Some(start) = self.next.take() else { return Ok(Vec::new()) };
        let page = Page { limit: PAGE_MAX, start };
        let users = self.read.list_users(&UserFilter::default(), page).await?;
        self.next = users.last().map(|last| Start::After(last.position()));
        let ids: Vec<_> = users.iter().map(|user| user.id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let read = &mut *self.read;
        let mut passwords: HashMap<UserId, PasswordHash> = read.passwords_of(&ids).await?.into_iter().collect();
        let mut totps = HashMap::new();
        for factor in read.totps_of(&ids).await? {
            if let Some(confirmed_at) = factor.confirmed_at {
                totps.insert(factor.user_id, (totp::unseal(&self.ctx, &factor)?, confirmed_at));
            }
        }
        let mut codes = grouped(read.recovery_codes_of(&ids).await?.into_iter());
        let mut passkeys = grouped(read.passkeys_of(&ids).await?.into_iter().map(|passkey| (passkey.user_id, passkey)));
        let identities = read.identities_of(&ids).await?;
        let mut identities = grouped(identities.into_iter().map(|identity| (identity.user_id, identity)));
        let keys = read.api_keys_of(&ids).await?;
        let mut keys = grouped(keys.into_iter().filter_map(|(key, hash)| match key.owner {
            Subject::User(user) => Some((user, (key, hash))),
            Subject::ServiceAccount(_) => None,
        }));
        let exported = users.into_iter().map(|user| ExportedUser {
            password_hash: passwords.remove(&user.id),
            totp: totps.remove(&user.id),
            recovery_codes: codes.remove(&user.id).unwrap_or_default(),
            passkeys: passkeys.remove(&user.id).unwrap_or_default(),
            identities: identities.remove(&user.id).unwrap_or_default(),
            api_keys: keys.remove(&user.id).unwrap_or_default(),
            user,
        });
        Ok(exported.collect())
    }
}

fn grouped<T>(pairs: impl Iterator<Item = (UserId, T)>) -> HashMap<UserId, Vec<T>> {
    let mut groups: HashMap<UserId, Vec<T>> = HashMap::new();
    for (user, value) in pairs {
        groups.entry(user).or_default().push(value);
    }
    groups
}
