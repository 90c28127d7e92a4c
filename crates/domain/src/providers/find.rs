//! Find the providers that users can sign in with.

use std::collections::BTreeMap;

use super::store::StoredProvider;
use super::{LinkPolicy, Provider, ProviderDisplay, ProviderName};
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};
use crate::store::WriteTx;

/// The providers of the configuration, by name.
#[derive(Debug, Clone, Default)]
pub struct Providers(BTreeMap<ProviderName, Provider>);

impl Providers {
    /// These providers.
    #[must_use]
    pub fn new(providers: Vec<Provider>) -> Self {
        Self(providers.into_iter().map(|provider| (provider.name.clone(), provider)).collect())
    }

    /// The provider of this name.
    #[must_use]
    pub fn get(&self, name: &ProviderName) -> Option<&Provider> {
        self.0.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.values()
    }
}

/// A provider that users can sign in with. One of the configuration precedes one of the database.
///
/// # Errors
/// [`Resource::Provider`] when there is no such provider, or it is disabled.
pub(crate) async fn find(ctx: &Ctx, name: &ProviderName) -> Result<Provider> {
    if let Some(provider) = ctx.services().providers.get(name) {
        return Ok(provider.clone());
    }
    let stored = ctx.store().read().await?.find_provider(name).await?.filter(|stored| stored.is_enabled);
    open(ctx, stored.ok_or(Error::NotFound(Resource::Provider))?)
}

/// Whether users can sign in with the provider, which does not change before the transaction ends. To be asked after the user
/// is locked.
pub(crate) async fn is_usable(ctx: &Ctx, tx: &mut dyn WriteTx, name: &ProviderName) -> Result<bool> {
    let is_configured = ctx.services().providers.get(name).is_some();
    Ok(is_configured || tx.share_provider(name).await? == Some(true))
}

/// A provider, enabled or not.
pub(super) async fn find_any(ctx: &Ctx, name: &ProviderName) -> Result<Provider> {
    if let Some(provider) = ctx.services().providers.get(name) {
        return Ok(provider.clone());
    }
    open(ctx, ctx.store().read().await?.find_provider(name).await?.ok_or(Error::NotFound(Resource::Provider))?)
}

/// How the enabled providers are shown on a sign-in page, in the order of their names. For everybody.
pub async fn displays(ctx: &Ctx) -> Result<Vec<(ProviderName, ProviderDisplay)>> {
    displays_of(ctx, |_| true).await
}

/// The same for the page of an invitation: the providers with which an invited user can accept it. For everybody.
pub async fn displays_for_invitation(ctx: &Ctx) -> Result<Vec<(ProviderName, ProviderDisplay)>> {
    displays_of(ctx, |provider| provider.settings.link == LinkPolicy::Verified).await
}

async fn displays_of(ctx: &Ctx, is_shown: fn(&Provider) -> bool) -> Result<Vec<(ProviderName, ProviderDisplay)>> {
    let stored = ctx.store().read().await?.list_providers().await?;
    let stored = stored.into_iter().filter(|stored| stored.is_enabled);
    let without_secret =
        |stored: StoredProvider| Provider { name: stored.name, settings: stored.settings, client_secret: None };
    let mut all: BTreeMap<_, _> = stored.map(|stored| (stored.name.clone(), without_secret(stored))).collect();
    all.extend(ctx.services().providers.0.clone());
    let federation = &ctx.services().federation;
    let shown = all.into_iter().filter(|(_, provider)| is_shown(provider));
    Ok(shown.map(|(name, provider)| (name, federation.display(&provider))).collect())
}

/// Our callback for a provider, as registered with it.
#[must_use]
pub fn callback_of(ctx: &Ctx, name: &ProviderName) -> String {
    format!("{}/api/v1/auth/{name}/callback", ctx.policy().public_url)
}

/// A sealed client secret opens for its provider only.
pub(super) fn secret_context(name: &ProviderName) -> Vec<u8> {
    format!("provider secret {name}").into_bytes()
}

fn open(ctx: &Ctx, stored: StoredProvider) -> Result<Provider> {
    let client_secret = match &stored.sealed_secret {
        Some(sealed) => {
            let opened = ctx.services().vault.open(&secret_context(&stored.name), sealed);
            let text = opened.and_then(|bytes| String::from_utf8(bytes).ok());
            Some(text.ok_or_else(|| Error::Internal("a client secret cannot be decrypted".into()))?.into())
        }
        None => None,
    };
    Ok(Provider { name: stored.name, settings: stored.settings, client_secret })
}
