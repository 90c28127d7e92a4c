//! Find the providers that users can sign in with.

use std::collections::BTreeMap;

use super::{Provider, ProviderDisplay, ProviderName};
use crate::ctx::Ctx;
use crate::error::{Error, Resource, Result};

/// The providers of the configuration, by name.
#[derive(Debug, Clone, Default)]
pub struct Providers(BTreeMap<ProviderName, Provider>);

impl Providers {
    /// These providers.
    #[must_use]
    pub fn new(providers: Vec<Provider>) -> Self {
        Self(providers.into_iter().map(|provider| (provider.name.clone(), provider)).collect())
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.values()
    }
}

/// A provider that users can sign in with.
///
/// # Errors
/// [`Resource::Provider`] when there is no such provider.
pub fn find(ctx: &Ctx, name: &ProviderName) -> Result<Provider> {
    ctx.services().providers.0.get(name).cloned().ok_or(Error::NotFound(Resource::Provider))
}

/// How the providers are shown on a sign-in page, in the order of their names. For everybody.
#[must_use]
pub fn displays(ctx: &Ctx) -> Vec<(ProviderName, ProviderDisplay)> {
    let federation = &ctx.services().federation;
    ctx.services().providers.iter().map(|provider| (provider.name.clone(), federation.display(provider))).collect()
}

/// Our callback for a provider, as registered with it.
#[must_use]
pub fn callback_of(ctx: &Ctx, name: &ProviderName) -> String {
    format!("{}/api/v1/auth/{name}/callback", ctx.policy().public_url)
}
