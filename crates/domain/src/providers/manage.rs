//! Manage the providers that are kept in the database. Those of the configuration are listed with them, and read-only.
//!
//! A provider decides who its users are: a caller who configures one could sign in as any user. So changes require every
//! permission.

use secrecy::{ExposeSecret, SecretString};

use super::store::StoredProvider;
use super::{Finding, Provider, ProviderName, ProviderSettings, callback_of};
use crate::access::{Permission, Permissions};
use crate::ctx::Ctx;
use crate::error::{Conflict, Error, FieldError, Resource, Result};
use crate::events::{Happened, record};
use crate::roles::{RoleName, require_known};
use crate::sessions;
use crate::time::Timestamp;

/// How many providers the database may hold.
pub const PROVIDERS_MAX: usize = 100;
/// The longest client secret, in bytes; a private key in PEM fits.
const SECRET_BYTES_MAX: usize = 8 * 1024;
/// How many tokens of users are removed at once when they are not kept any more. The others are removed in the background,
/// and not handed out meanwhile.
const TOKENS_REMOVED_MAX: u32 = 1_000;

/// A provider as administrators see it. Its secret is never shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedProvider {
    /// Unique name.
    pub name: ProviderName,
    /// The settings.
    pub settings: ProviderSettings,
    /// Whether there is a client secret.
    pub has_secret: bool,
    /// Whether users can sign in with it.
    pub is_enabled: bool,
    /// Creation time, last change and version; `None` for a provider of the configuration.
    pub stored: Option<Stored>,
}

/// What the database keeps besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Creation time.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Increases with each change; for `If-Match`.
    pub version: i64,
}

/// A new provider.
#[derive(Debug)]
pub struct NewProvider {
    /// Unique name.
    pub name: ProviderName,
    /// The settings.
    pub settings: ProviderSettings,
    /// The client secret.
    pub client_secret: Option<SecretString>,
    /// Whether users can sign in with it.
    pub is_enabled: bool,
}

/// A change of a provider; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ProviderChange {
    /// Other settings.
    pub settings: Option<ProviderSettings>,
    /// Another client secret, or none.
    pub client_secret: Option<Option<SecretString>>,
    /// Whether users can sign in with it.
    pub is_enabled: Option<bool>,
}

impl ProviderChange {
    /// The provider as it is after this change; its version and times stay.
    #[must_use]
    pub fn applied_to(&self, before: &ManagedProvider) -> ManagedProvider {
        ManagedProvider {
            settings: self.settings.clone().unwrap_or_else(|| before.settings.clone()),
            has_secret: self.client_secret.as_ref().map_or(before.has_secret, Option::is_some),
            is_enabled: self.is_enabled.unwrap_or(before.is_enabled),
            ..before.clone()
        }
    }
}

/// The providers of the configuration and of the database, by name.
pub async fn list(ctx: &Ctx) -> Result<Vec<ManagedProvider>> {
    ctx.require(Permission::ProvidersRead)?;
    let stored = ctx.store().read().await?.list_providers().await?;
    let mut all: Vec<_> = ctx.services().providers.iter().map(configured).collect();
    all.extend(stored.into_iter().map(managed));
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// A provider of the configuration or of the database.
pub async fn get(ctx: &Ctx, name: &ProviderName) -> Result<ManagedProvider> {
    ctx.require(Permission::ProvidersRead)?;
    if let Some(provider) = ctx.services().providers.get(name) {
        return Ok(configured(provider));
    }
    Ok(managed(ctx.store().read().await?.find_provider(name).await?.ok_or_else(absent)?))
}

/// Adds a provider. It can be used at once, on every node.
///
/// # Errors
/// [`Conflict::ProviderNameTaken`], [`Conflict::TooManyProviders`]; the settings at fault.
pub async fn create(ctx: &Ctx, new: NewProvider) -> Result<ManagedProvider> {
    require_write(ctx)?;
    check(ctx, &new.settings, new.client_secret.as_ref(), new.client_secret.is_some()).await?;
    let now = ctx.now();
    let provider = StoredProvider {
        sealed_secret: new.client_secret.as_ref().map(|secret| seal(ctx, &new.name, secret)),
        name: new.name,
        settings: new.settings,
        is_enabled: new.is_enabled,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let mut tx = ctx.write().await?;
    if tx.list_providers().await?.len() >= PROVIDERS_MAX {
        return Err(Error::Conflict(Conflict::TooManyProviders));
    }
    let is_configured = ctx.services().providers.get(&provider.name).is_some();
    if is_configured || !tx.insert_provider(&provider).await? {
        return Err(Error::Conflict(Conflict::ProviderNameTaken));
    }
    record(ctx, &mut *tx, provider.name.as_str(), Happened::ProviderCreated { name: provider.name.to_string() });
    ctx.commit(tx).await?;
    Ok(managed(provider))
}

/// Changes a provider of the database. Disabling it ends the sessions that were opened through it. `expected` lists the versions that the caller accepts to change (`If-Match`).
///
/// # Errors
/// [`Conflict::ProviderConfigured`] for one of the configuration; [`Error::Stale`].
pub async fn update(
    ctx: &Ctx,
    name: &ProviderName,
    change: ProviderChange,
    expected: Option<&[i64]>,
) -> Result<ManagedProvider> {
    require_write(ctx)?;
    require_stored(ctx, name)?;
    let before = ctx.store().read().await?.find_provider(name).await?.ok_or_else(absent)?;
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    let settings = change.settings.unwrap_or_else(|| before.settings.clone());
    let has_secret = change.client_secret.as_ref().map_or(before.sealed_secret.is_some(), Option::is_some);
    check(ctx, &settings, change.client_secret.as_ref().and_then(Option::as_ref), has_secret).await?;
    let sealed_secret = match change.client_secret {
        Some(secret) => secret.map(|secret| seal(ctx, name, &secret)),
        None => before.sealed_secret.clone(),
    };
    let is_enabled = change.is_enabled.unwrap_or(before.is_enabled);
    let provider = StoredProvider {
        settings,
        sealed_secret,
        is_enabled,
        updated_at: ctx.now(),
        version: before.version + 1,
        ..before
    };
    let mut tx = ctx.write().await?;
    // Conditional on the version that was read: of two concurrent changes, one fails and must read again.
    if !tx.update_provider(&provider).await? {
        return Err(Error::Stale);
    }
    if !provider.settings.keep_tokens {
        tx.purge_identity_tokens(name, TOKENS_REMOVED_MAX).await?;
    }
    record(ctx, &mut *tx, name.as_str(), Happened::ProviderUpdated { name: name.to_string(), enabled: is_enabled });
    ctx.commit(tx).await?;
    if !is_enabled {
        sessions::end_of_provider(ctx, name).await?;
    }
    Ok(managed(provider))
}

/// Deletes a provider of the database, and ends the sessions that were opened through it. If there are any, it is disabled
/// first; if that is interrupted, deleting it again continues. Identities that were linked through it remain.
///
/// # Errors
/// [`Conflict::ProviderConfigured`] for one of the configuration; [`Error::Stale`].
pub async fn delete(ctx: &Ctx, name: &ProviderName, expected: Option<&[i64]>) -> Result<()> {
    require_write(ctx)?;
    require_stored(ctx, name)?;
    let mut tx = ctx.write_unlimited(&[]).await?;
    let before = tx.find_provider(name).await?.ok_or_else(absent)?;
    if expected.is_some_and(|versions| !versions.contains(&before.version)) {
        return Err(Error::Stale);
    }
    // No session is opened through it from here on.
    let disabled = StoredProvider { is_enabled: false, version: before.version + 1, updated_at: ctx.now(), ..before };
    if !tx.update_provider(&disabled).await? {
        return Err(Error::Stale);
    }
    if sessions::are_of_provider(ctx, &mut *tx, name).await? {
        record(ctx, &mut *tx, name.as_str(), Happened::ProviderUpdated { name: name.to_string(), enabled: false });
        ctx.commit(tx).await?;
        sessions::end_of_provider(ctx, name).await?;
        tx = ctx.write_unlimited(&[]).await?;
    }
    if !tx.delete_provider(name, disabled.version).await? {
        return Err(Error::Stale);
    }
    tx.purge_identity_tokens(name, TOKENS_REMOVED_MAX).await?;
    record(ctx, &mut *tx, name.as_str(), Happened::ProviderDeleted { name: name.to_string() });
    ctx.commit(tx).await
}

/// Checks a provider as far as that is possible without a user: settings, discovery, keys, clock, redirect URI and secret.
pub async fn test(ctx: &Ctx, name: &ProviderName) -> Result<Vec<Finding>> {
    ctx.require(Permission::ProvidersWrite)?;
    // Each test makes requests to the provider.
    ctx.throttle_write()?;
    let provider = super::find_any(ctx, name).await?;
    Ok(ctx.services().federation.test(&provider, &callback_of(ctx, name)).await)
}

fn require_write(ctx: &Ctx) -> Result<()> {
    ctx.require(Permission::ProvidersWrite)?;
    ctx.require_held(Permissions::ALL)
}

fn require_stored(ctx: &Ctx, name: &ProviderName) -> Result<()> {
    match ctx.services().providers.get(name) {
        Some(_) => Err(Error::Conflict(Conflict::ProviderConfigured)),
        None => Ok(()),
    }
}

/// Whether the client secret of a provider of the database is this one.
///
/// # Errors
/// [`Error::Internal`] if the stored secret cannot be decrypted.
pub async fn has_this_secret(ctx: &Ctx, name: &ProviderName, secret: &SecretString) -> Result<bool> {
    require_write(ctx)?;
    let stored = super::find_any(ctx, name).await?.client_secret;
    Ok(stored.is_some_and(|stored| stored.expose_secret() == secret.expose_secret()))
}

/// The settings at fault, without a look at the roles that they name.
#[must_use]
pub fn settings_faults(
    ctx: &Ctx,
    settings: &ProviderSettings,
    secret: Option<&SecretString>,
    has_secret: bool,
) -> Vec<FieldError> {
    let faults = ctx.services().federation.check(settings, has_secret).err().unwrap_or_default();
    let below = |fault: FieldError| FieldError { field: format!("settings.{}", fault.field), ..fault };
    let mut faults: Vec<_> = faults.into_iter().map(below).collect();
    if secret.is_some_and(|secret| !(1..=SECRET_BYTES_MAX).contains(&secret.expose_secret().len())) {
        let message = format!("must be 1 to {SECRET_BYTES_MAX} bytes long");
        faults.push(FieldError::new("client_secret", "too_long", message));
    }
    faults
}

async fn check(ctx: &Ctx, settings: &ProviderSettings, secret: Option<&SecretString>, has_secret: bool) -> Result<()> {
    let mut faults = settings_faults(ctx, settings, secret, has_secret);
    for (value, role) in &settings.roles {
        // A malformed name is at fault already.
        let Ok(name) = RoleName::reference(role) else { continue };
        match require_known(ctx, &name).await {
            Err(Error::Invalid(_)) => faults.push(unknown_role(value, &name)),
            other => other?,
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

/// The fault of settings that give a value of the role claim a role that does not exist.
#[must_use]
pub fn unknown_role(value: &str, name: &RoleName) -> FieldError {
    FieldError::new(
        format!("settings.roles.{value}"),
        "unknown_role",
        format!("must be the name of a role; there is no role {name}"),
    )
}

fn configured(provider: &Provider) -> ManagedProvider {
    ManagedProvider {
        name: provider.name.clone(),
        settings: provider.settings.clone(),
        has_secret: provider.client_secret.is_some(),
        is_enabled: true,
        stored: None,
    }
}

fn managed(stored: StoredProvider) -> ManagedProvider {
    let StoredProvider { name, settings, sealed_secret, is_enabled, created_at, updated_at, version } = stored;
    let stored = Some(Stored { created_at, updated_at, version });
    ManagedProvider { name, settings, has_secret: sealed_secret.is_some(), is_enabled, stored }
}

fn seal(ctx: &Ctx, name: &ProviderName, secret: &SecretString) -> Vec<u8> {
    ctx.services().vault.seal(&super::find::secret_context(name), secret.expose_secret().as_bytes())
}

fn absent() -> Error {
    Error::NotFound(Resource::Provider)
}
