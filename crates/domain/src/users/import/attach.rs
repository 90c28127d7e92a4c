//! Adds the credentials of new users, one kind at a time.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use secrecy::ExposeSecret;

use super::{ImportApiKey, ImportIdentity, ImportIds, ImportPasskey, ImportTotp, ImportedLine, Row};
use crate::access::Subject;
use crate::api_keys::{ApiKey, SecretHash};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::factors::{RecoveryCodeHash, TotpFactor, totp};
use crate::id::{IdentityId, PasskeyId, UserId};
use crate::identities::Identity;
use crate::passkeys::Passkey;
use crate::providers::{Issuers, ProviderName};
use crate::store::WriteTx;

/// Adds the credentials of new users. Returns the users with an identity that is linked to another user: they must be
/// deleted.
pub(super) async fn attach(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    rows: &[Row],
    ids: ImportIds,
    results: &mut [ImportedLine],
) -> Result<HashSet<UserId>> {
    let passwords = rows.iter().filter_map(|row| Some((row.id, row.line.password_hash.as_ref()?)));
    tx.insert_passwords(&passwords.collect::<Vec<_>>(), ctx.now()).await?;
    let factors = rows.iter().filter_map(|row| Some(factor(ctx, row.id, row.line.credentials.totp.as_ref()?)));
    let factors: Vec<_> = factors.collect();
    if !factors.is_empty() {
        tx.insert_totps(&factors).await?;
    }
    add_recovery_codes(tx, rows, ids, results).await?;
    add_passkeys(ctx, tx, rows, results).await?;
    add_api_keys(ctx, tx, rows, results).await?;
    add_identities(ctx, tx, rows, results).await
}

/// The factor of an imported secret.
pub(super) fn factor(ctx: &Ctx, user: UserId, totp: &ImportTotp) -> TotpFactor {
    TotpFactor {
        user_id: user,
        sealed_secret: totp::seal(ctx, user, totp.secret.expose_secret()),
        created_at: totp.confirmed_at.unwrap_or_else(|| ctx.now()),
        confirmed_at: Some(totp.confirmed_at.unwrap_or_else(|| ctx.now())),
        last_step: 0,
    }
}

/// A passkey of a user.
pub(super) fn passkey(ctx: &Ctx, user: UserId, passkey: &ImportPasskey) -> Passkey {
    Passkey {
        id: PasskeyId::from_uuid(ctx.new_id()),
        kind: passkey.kind,
        user_id: user,
        user_handle: passkey.user_handle,
        name: passkey.name.clone(),
        credential: passkey.credential.clone(),
        created_at: passkey.created_at.unwrap_or_else(|| ctx.now()),
        last_used_at: passkey.last_used_at,
        rp_id: passkey.rp_id.clone(),
    }
}

/// An identity of a user.
pub(super) fn identity(ctx: &Ctx, user: UserId, provider: ProviderName, identity: &ImportIdentity) -> Identity {
    let created_at = identity.created_at.unwrap_or_else(|| ctx.now());
    Identity {
        id: IdentityId::from_uuid(ctx.new_id()),
        user_id: user,
        provider,
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        email: identity.email.clone(),
        created_at,
        last_used_at: created_at,
    }
}

/// An API key of a user, with the MAC of its secret.
pub(super) fn api_key(ctx: &Ctx, user: UserId, key: &ImportApiKey) -> (ApiKey, SecretHash) {
    let imported = ApiKey {
        id: key.id,
        owner: Subject::User(user),
        name: key.name.clone(),
        scopes: key.scopes,
        expires_at: key.expires_at,
        created_at: key.created_at.unwrap_or_else(|| ctx.now()),
        rotated_at: key.rotated_at,
        last_used_at: key.last_used_at,
        version: 1,
    };
    (imported, key.secret_hash)
}

/// Recovery codes are bound to the id of their user.
pub(super) fn carries_recovery_codes(row: &Row, user: UserId, ids: ImportIds) -> bool {
    ids == ImportIds::Keep && row.line.id == Some(user)
}

async fn add_recovery_codes(
    tx: &mut dyn WriteTx,
    rows: &[Row],
    ids: ImportIds,
    results: &mut [ImportedLine],
) -> Result<()> {
    let mut codes: Vec<(UserId, RecoveryCodeHash)> = Vec::new();
    for row in rows {
        let given = row.line.credentials.recovery_codes.as_deref().unwrap_or_default();
        if carries_recovery_codes(row, row.id, ids) {
            codes.extend(given.iter().map(|&code| (row.id, code)));
        } else {
            results[row.at].not_carried.recovery_codes += given.len() as u64;
        }
    }
    if !codes.is_empty() {
        tx.insert_recovery_codes(&codes).await?;
    }
    Ok(())
}

async fn add_passkeys(ctx: &Ctx, tx: &mut dyn WriteTx, rows: &[Row], results: &mut [ImportedLine]) -> Result<()> {
    let mut passkeys = Vec::new();
    for row in rows {
        let given = row.line.credentials.passkeys.iter().flatten();
        passkeys.extend(given.map(|given| (row.at, passkey(ctx, row.id, given))));
    }
    if passkeys.is_empty() {
        return Ok(());
    }
    let values: Vec<_> = passkeys.iter().map(|(_, passkey)| passkey).collect();
    let inserted: HashSet<_> = tx.insert_passkeys(&values).await?.into_iter().collect();
    for (at, _) in passkeys.iter().filter(|(_, passkey)| !inserted.contains(&passkey.id)) {
        results[*at].not_carried.passkeys += 1;
    }
    Ok(())
}

async fn add_api_keys(ctx: &Ctx, tx: &mut dyn WriteTx, rows: &[Row], results: &mut [ImportedLine]) -> Result<()> {
    let mut keys = Vec::new();
    let mut lines = HashMap::new();
    for row in rows {
        for given in row.line.credentials.api_keys.iter().flatten() {
            // If two lines have the same key, the first one gets it.
            if let Entry::Vacant(line) = lines.entry(given.id) {
                line.insert(row.at);
                keys.push(api_key(ctx, row.id, given));
            } else {
                results[row.at].not_carried.api_keys += 1;
            }
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    let inserted: HashSet<_> = tx.insert_api_keys(&keys).await?.into_iter().collect();
    for (_, at) in lines.into_iter().filter(|(id, _)| !inserted.contains(id)) {
        results[at].not_carried.api_keys += 1;
    }
    Ok(())
}

async fn add_identities(
    ctx: &Ctx,
    tx: &mut dyn WriteTx,
    rows: &[Row],
    results: &mut [ImportedLine],
) -> Result<HashSet<UserId>> {
    let mut conflicting = HashSet::new();
    if rows.iter().all(|row| row.line.credentials.identities.as_ref().is_none_or(Vec::is_empty)) {
        return Ok(conflicting);
    }
    let issuers = Issuers::read(ctx, tx).await?;
    let mut identities = Vec::new();
    for row in rows {
        for given in row.line.credentials.identities.iter().flatten() {
            match issuers.provider_of(given) {
                Some(provider) => identities.push(identity(ctx, row.id, provider, given)),
                None => results[row.at].not_carried.identities += 1,
            }
        }
    }
    let inserted: HashSet<_> =
        tx.insert_identities(&identities.iter().collect::<Vec<_>>()).await?.into_iter().collect();
    let refused = identities.iter().filter(|identity| !inserted.contains(&identity.id));
    conflicting.extend(refused.map(|identity| identity.user_id));
    Ok(conflicting)
}
