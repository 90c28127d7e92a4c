//! The master key and the signing keys.

use denizen_domain::Ctx;
use denizen_domain::keys::{self, Algorithm, KeyInfo, KeyState};
use denizen_domain::ports::Vault;
use denizen_domain::store::Store;
use denizen_domain::time::Timestamp;
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_infra::master_key::MasterKey;
use denizen_infra::root::{has_root, open_root};
use secrecy::ExposeSecret;

use super::{Findings, counted};
use crate::app::master_key;
use crate::cli::chain;
use crate::config::Config;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
/// How long a rotation may be overdue, in seconds: no server may have run meanwhile.
const OVERDUE_S_MAX: i64 = 60 * 60;
/// From which age a key is reported if rotation is disabled, in days.
const AGE_DAYS_MAX: i64 = 365;

/// Examines whether the master key opens what is stored. Returns whether it does.
pub(super) async fn check_master_key(config: &Config, store: &dyn Store, findings: &mut Findings) -> bool {
    let check = "master_key";
    match open(config, store).await {
        Ok(Opened::Nothing) if config.security.master_key_command.is_some() => check_command(config, findings).await,
        Ok(Opened::Nothing) => {
            findings.ok(check, "nothing is encrypted yet; the first start of the server creates the keys");
            true
        }
        Ok(Opened::All { master_keys: 1, signing_keys }) => {
            findings.ok(check, format!("it opens the root key and {}", counted(signing_keys, "signing key")));
            true
        }
        Ok(Opened::All { master_keys, .. }) => {
            let line = format!("{master_keys} master keys open the database: a rotation is not complete");
            findings.warn(check, line, "When all nodes use the new key, run `denizen master-key retire`");
            true
        }
        Err(error) => {
            let remedy = "Restore the master key that the database was set up with, from a backup or from another node; \
                          without it, what is encrypted is lost";
            findings.error(check, chain(&error), remedy);
            false
        }
    }
}

/// Runs `security.master_key_command`, if there is one, although nothing is encrypted yet. Returns whether it prints a key.
pub(super) async fn check_command(config: &Config, findings: &mut Findings) -> bool {
    let check = "master_key";
    let Some(command) = &config.security.master_key_command else { return true };
    match MasterKey::from_command(command.expose_secret()).await {
        Ok(_) => {
            findings.ok(check, "security.master_key_command prints a master key");
            true
        }
        Err(error) => {
            let line = format!("security.master_key_command: {}", chain(&error.into()));
            findings.error(check, line, "Correct the command; the server does not start without the key");
            false
        }
    }
}

enum Opened {
    /// The database contains nothing that is encrypted.
    Nothing,
    /// Everything was opened.
    All { master_keys: usize, signing_keys: usize },
}

async fn open(config: &Config, store: &dyn Store) -> anyhow::Result<Opened> {
    if !has_root(store).await? {
        return Ok(Opened::Nothing);
    }
    let mut read = store.read().await?;
    let (roots, stored) = (read.sealed_roots().await?, read.signing_keys().await?);
    drop(read);
    anyhow::ensure!(!roots.is_empty(), "the database was set up by an earlier release: start the server once");
    let master = master_key(&config.security, store, &SystemChance).await?;
    let vault = open_root(store, &master, &SystemClock, &SystemChance).await?;
    for key in &stored {
        let is_open = vault.open(key.id.as_bytes(), &key.sealed_private_key).is_some();
        anyhow::ensure!(is_open, "the signing key {} cannot be decrypted", key.id);
    }
    Ok(Opened::All { master_keys: roots.len(), signing_keys: stored.len() })
}

/// Examines the age of the signing keys.
pub(super) async fn check_signing_keys(ctx: &Ctx, config: &Config, findings: &mut Findings) {
    let check = "signing_keys";
    if config.tokens.algorithm == Algorithm::Hs256 {
        findings.ok(check, "access tokens are signed with tokens.hs256_secret, which is not rotated");
        return;
    }
    match keys::list(ctx).await {
        Ok(keys) => judge(&keys, config, ctx.now(), findings),
        Err(error) => findings.error(check, chain(&error.into()), "Correct it; no access tokens can be signed"),
    }
}

fn judge(keys: &[KeyInfo], config: &Config, now: Timestamp, findings: &mut Findings) {
    let check = "signing_keys";
    let Some(current) = keys.iter().find(|key| key.state == KeyState::Current) else {
        if keys.is_empty() {
            findings.ok(check, "there are none yet; the first start of the server creates one");
        } else {
            findings.warn(check, "no key is current", "Start the server: it creates one");
        }
        return;
    };
    let rotation_s = i64::from(config.tokens.key_rotation_days) * SECONDS_PER_DAY;
    let age_s = now.as_seconds() - current.activates_at.as_seconds();
    let age = format!("{} signs since {} days", current.algorithm.as_str(), age_s / SECONDS_PER_DAY);
    if current.algorithm != config.tokens.algorithm && !keys.iter().any(|key| key.algorithm == config.tokens.algorithm)
    {
        let line = format!("{age}, and tokens.algorithm is {}", config.tokens.algorithm.as_str());
        findings.warn(check, line, "Start the server: it creates a key for the configured algorithm");
    } else if rotation_s == 0 && age_s > AGE_DAYS_MAX * SECONDS_PER_DAY {
        let remedy = "Run `denizen keys rotate`, or set tokens.key_rotation_days";
        findings.warn(check, format!("{age}, and automatic rotation is disabled"), remedy);
    } else if rotation_s > 0 && age_s > rotation_s + OVERDUE_S_MAX {
        let line = format!("{age}; the rotation is overdue, it is due every {} days", config.tokens.key_rotation_days);
        findings.warn(check, line, "Start the server, and look for errors of the rotation in its log");
    } else if rotation_s > 0 {
        // Rounded up: a key of a moment ago is due in as many days as are configured.
        let due_days = ((rotation_s - age_s).max(0) + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY;
        findings.ok(check, format!("{age}; the next rotation is due in {due_days} days"));
    } else {
        findings.ok(check, format!("{age}; automatic rotation is disabled"));
    }
}
