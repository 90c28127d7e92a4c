//! The keys of a database: the master key, and what is encrypted under it.

use std::sync::Arc;

use anyhow::{Context, ensure};
use denizen_domain::Services;
use denizen_domain::audit;
use denizen_domain::keys::{self, Algorithm};
use denizen_domain::ports::{Clock, Random};
use denizen_domain::store::Store;
use denizen_infra::master_key::{EXPECTED, MasterKey};
use denizen_infra::root::{RootKey, has_root, open_root};
use denizen_infra::tokens::{Signing, SigningSecret as TokenSecret};
use denizen_infra::vault::MasterVault;
use secrecy::ExposeSecret;

use crate::config::{Security, Tokens};

/// Whether keys that do not exist are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingKeys {
    /// They are created, in the database and in the file of the master key.
    Create,
    /// They are not. A database without keys contains nothing that is encrypted.
    Read,
}

impl MissingKeys {
    pub(super) fn of(is_read: bool) -> Self {
        if is_read { Self::Read } else { Self::Create }
    }

    /// The key that opens what is stored.
    pub(super) async fn vault(
        self,
        security: &Security,
        store: &dyn Store,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> anyhow::Result<MasterVault> {
        if self == Self::Read
            && store.read().await?.sealed_roots().await.context("checking for the root key")?.is_empty()
        {
            let has_signing_keys = has_root(store).await.context("checking for the signing keys")?;
            ensure!(!has_signing_keys, "the database was set up by an earlier release: start the server once");
            let mut bytes = [0; 32];
            random.fill(&mut bytes);
            // Used by this process only: cursors are authenticated with it.
            return Ok(MasterVault::new(&RootKey::from_bytes(bytes)));
        }
        let master = master_key(security, store, random).await?;
        Ok(open_root(store, &master, clock, random).await?)
    }

    /// Loads the signing keys and the key of the log.
    pub(super) async fn start(self, services: &Arc<Services>) -> anyhow::Result<()> {
        if self == Self::Read {
            if services.policy.token_algorithm != Algorithm::Hs256 {
                keys::follow(services).await.context("opening the signing keys")?;
            }
            return Ok(());
        }
        let keyed_after = audit::key_log(services).await.context("sealing the audit log")?;
        if let Some(position) = keyed_after.filter(|position| *position > 0) {
            tracing::warn!(
                position,
                "the audit log is keyed from now on; records up to this position have no keyed hash"
            );
        }
        keys::keep(services).await.context("opening the signing keys")
    }
}

/// The master key, from the one source that is configured. A file is created on the first start only: a new key would
/// not open a database that was set up under another.
///
/// # Errors
/// When the source fails, what it holds is no key, or the file is missing and the database was set up before.
pub async fn master_key(security: &Security, store: &dyn Store, random: &dyn Random) -> anyhow::Result<MasterKey> {
    if let Some(key) = configured_master_key(security).await? {
        return Ok(key);
    }
    let path = &security.master_key_file;
    if let Some(key) = MasterKey::find_in_file(path)? {
        return Ok(key);
    }
    // The file is written before the root key, so another node that is starting for the first time has written both.
    let is_set_up = has_root(store).await.context("checking for the root key")?;
    Ok(if is_set_up { MasterKey::from_existing_file(path)? } else { MasterKey::from_file(path, random)? })
}

/// The master key, from the one source that is configured. Creates nothing, and needs no database.
///
/// # Errors
/// When the source fails, or has no key.
pub(crate) async fn existing_master_key(security: &Security) -> anyhow::Result<MasterKey> {
    match configured_master_key(security).await? {
        Some(key) => Ok(key),
        None => Ok(MasterKey::from_existing_file(&security.master_key_file)?),
    }
}

/// The master key, unless it is in a file.
async fn configured_master_key(security: &Security) -> anyhow::Result<Option<MasterKey>> {
    if let Some(text) = &security.master_key {
        return MasterKey::parse(text).map(Some).with_context(|| format!("security.master_key must be {EXPECTED}"));
    }
    let Some(command) = &security.master_key_command else { return Ok(None) };
    MasterKey::from_command(command.expose_secret()).await.map(Some).context("security.master_key_command")
}

/// How access tokens are signed.
pub(super) fn signing(tokens: &Tokens) -> anyhow::Result<Signing> {
    if tokens.algorithm != Algorithm::Hs256 {
        return Ok(Signing::Stored);
    }
    let secret = tokens.hs256_secret.as_ref().context("tokens.hs256_secret must be set for HS256")?;
    Ok(Signing::Secret(TokenSecret::parse(secret).context("tokens.hs256_secret is too short")?))
}
