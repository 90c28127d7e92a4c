//! Speaks to outside identity providers: OpenID Connect (Core 1.0, Discovery 1.0) and plain OAuth 2 (RFC 6749, RFC 7636,
//! RFC 9207).
//!
//! Reading order: this file (the port) → `presets` and `resolve` (what is known of a provider) → `flow` (a sign-in)
//! → `id_token`, `keys` and `metadata` (what makes it trustworthy) → `mapping` (who it is).

mod apple;
mod cache;
mod exchange;
mod failure;
mod fetch;
mod flow;
mod id_token;
mod isolation;
mod keys;
mod mapping;
mod metadata;
mod presets;
mod probe;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod token_response;
mod userinfo;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use denizen_domain::error::FieldError;
use denizen_domain::ports::{Clock, Random};
use denizen_domain::providers::{
    AuthorizationGrant, AuthorizationRequest, CodeBinding, Federation, FederationError, Finding, NativeGrant,
    OutsideIdentity, Provider, ProviderDisplay, ProviderSettings, ProviderTokens, Redeemed, RefreshError,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;

use crate::outside::{AddressRules, Outside};
use cache::Cache;
use failure::Failure;
use isolation::ConcurrencyLimits;
use keys::KeySet;
use metadata::Metadata;
use probe::{failed, passed};
use resolve::Resolved;

/// The icon of a provider without a preset.
const GENERIC_ICON: &str = "generic";
/// How long a request waits for another one that refreshes the same tokens, before it looks again.
const PAUSE: Duration = Duration::from_millis(200);
/// How many times the time of a request the checks of a provider may take together.
const PROBE_TIMEOUTS: u32 = 4;

/// How providers are reached.
#[derive(Debug, Clone)]
pub struct FederationOptions {
    /// Hosts that may have private addresses and need no TLS.
    pub allowed_hosts: Vec<String>,
    /// Further certificate authorities to trust: a file of certificates in PEM.
    pub extra_ca: Option<PathBuf>,
    /// How long a sign-in may wait for a provider, all requests together.
    pub timeout: Duration,
}

impl Default for FederationOptions {
    /// Public hosts with certificates of public authorities, and ten seconds.
    fn default() -> Self {
        Self { allowed_hosts: Vec::new(), extra_ca: None, timeout: Duration::from_secs(10) }
    }
}

/// The certificate authorities cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FederationSetupError {
    /// The file cannot be read, or is not PEM.
    #[error("reading the certificate authorities in {path}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("there is no certificate in {path}")]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
}

/// Speaks to providers over HTTPS.
pub struct HttpFederation {
    options: FederationOptions,
    rules: AddressRules,
    authorities: Vec<CertificateDer<'static>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Set up when the first provider is spoken to.
    outside: OnceLock<Outside>,
    metadata: Cache<Metadata>,
    keys: Cache<KeySet>,
    apple_secrets: apple::SecretCache,
    limits: ConcurrencyLimits,
}

/// Checks the settings of a provider without speaking to it. All faults are reported together. `allowed_hosts` may have
/// private addresses and need no TLS.
///
/// # Errors
/// One entry per field at fault.
pub fn check(settings: &ProviderSettings, has_secret: bool, allowed_hosts: &[String]) -> Result<(), Vec<FieldError>> {
    settings::check(settings, has_secret, &AddressRules::new(allowed_hosts))
}

/// The failure for the caller, after a log line that says which check failed.
fn logged(provider: &Provider, failure: Failure) -> FederationError {
    tracing::warn!(provider = %provider.name, reason = failure.summary(), "sign-in at the provider failed");
    failure.into()
}

impl HttpFederation {
    /// An adapter that has spoken to no provider yet.
    ///
    /// # Errors
    /// When the certificate authorities cannot be read.
    pub fn new(
        options: FederationOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, FederationSetupError> {
        let authorities = options.extra_ca.as_ref().map(read_authorities).transpose()?.unwrap_or_default();
        Ok(Self {
            rules: AddressRules::new(&options.allowed_hosts),
            options,
            authorities,
            metadata: Cache::new(Arc::clone(&clock)),
            keys: Cache::new(Arc::clone(&clock)),
            clock,
            random,
            outside: OnceLock::new(),
            apple_secrets: apple::SecretCache::default(),
            limits: ConcurrencyLimits::default(),
        })
    }

    /// The client, set up on first use.
    fn outside(&self) -> Result<Outside, Failure> {
        if let Some(outside) = self.outside.get() {
            return Ok(outside.clone());
        }
        let FederationOptions { allowed_hosts, timeout, .. } = &self.options;
        let outside = Outside::with_authorities(*timeout, allowed_hosts, &self.authorities)
            .map_err(|_| Failure::Unavailable("the HTTP client cannot be set up".to_owned()))?;
        Ok(self.outside.get_or_init(|| outside).clone())
    }
}

fn read_authorities(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, FederationSetupError> {
    let unreadable = |source| FederationSetupError::Authorities { path: path.clone(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(FederationSetupError::NoAuthority { path: path.clone() });
    }
    Ok(certificates)
}

#[async_trait]
impl Federation for HttpFederation {
    fn check(&self, settings: &ProviderSettings, has_secret: bool) -> Result<(), Vec<FieldError>> {
        settings::check(settings, has_secret, &self.rules)
    }

    fn display(&self, provider: &Provider) -> ProviderDisplay {
        let preset = provider.settings.preset.as_deref().and_then(presets::find);
        let label = provider.settings.label.as_deref().or_else(|| preset.map(|preset| preset.label.as_str()));
        ProviderDisplay {
            label: label.unwrap_or(provider.name.as_str()).to_owned(),
            icon: preset.map_or(GENERIC_ICON, |preset| &preset.icon).to_owned(),
        }
    }

    fn issuer(&self, provider: &Provider) -> Option<String> {
        let resolved = Resolved::new(&provider.settings).ok()?;
        resolved.issuer().map(str::to_owned).or_else(|| resolved.plain_issuer())
    }

    async fn authorization_url(
        &self,
        provider: &Provider,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, FederationError> {
        let resolved = Resolved::new(&provider.settings).map_err(|failure| logged(provider, failure))?;
        let ready = self.has_endpoints(&resolved);
        let request = self.authorize(&resolved, request);
        // With the metadata at hand nothing is waited for.
        let url =
            if ready { request.await } else { self.limits.run(&provider.name, self.options.timeout, request).await };
        url.map_err(|failure| logged(provider, failure))
    }

    async fn redeem(&self, provider: &Provider, grant: &AuthorizationGrant<'_>) -> Result<Redeemed, FederationError> {
        let request = self.redeem_code(provider, grant);
        let identity = self.limits.run(&provider.name, self.options.timeout, request).await;
        identity.map_err(|failure| logged(provider, failure))
    }

    fn code_binding(&self, provider: &Provider, client_id: &str) -> CodeBinding {
        // Settings that cannot be resolved are refused, and logged, by the exchange.
        Resolved::new(&provider.settings)
            .map_or(CodeBinding::Nonce, |resolved| flow::code_binding(provider, &resolved, client_id))
    }

    async fn redeem_native(&self, provider: &Provider, grant: &NativeGrant<'_>) -> Result<Redeemed, FederationError> {
        let request = self.redeem_native_code(provider, grant);
        let identity = self.limits.run(&provider.name, self.options.timeout, request).await;
        identity.map_err(|failure| logged(provider, failure))
    }

    async fn refresh(
        &self,
        provider: &Provider,
        client_id: &str,
        refresh_token: &SecretString,
    ) -> Result<ProviderTokens, RefreshError> {
        let request = self.refresh_tokens(provider, client_id, refresh_token);
        match self.limits.run(&provider.name, self.options.timeout, request).await {
            Ok(Some(tokens)) => Ok(tokens),
            Ok(None) => {
                tracing::info!(provider = %provider.name, "the provider rejected a refresh token");
                Err(RefreshError::Rejected)
            }
            Err(failure) => {
                tracing::warn!(provider = %provider.name, reason = failure.summary(), "refreshing tokens at the provider failed");
                Err(RefreshError::Failed)
            }
        }
    }

    async fn pause(&self) {
        tokio::time::sleep(PAUSE).await;
    }

    async fn verify_id_token(
        &self,
        provider: &Provider,
        id_token: &SecretString,
        nonce: &str,
    ) -> Result<OutsideIdentity, FederationError> {
        let resolved = Resolved::new(&provider.settings).map_err(|failure| logged(provider, failure))?;
        let request = self.verify_native(&resolved, id_token, nonce);
        let identity = self.limits.run(&provider.name, self.options.timeout, request).await;
        identity.map_err(|failure| logged(provider, failure))
    }

    async fn test(&self, provider: &Provider, redirect_uri: &str) -> Vec<Finding> {
        if let Err(faults) = self.check(&provider.settings, provider.client_secret.is_some()) {
            let fault = |fault: FieldError| failed("settings", format!("{}: {}", fault.field, fault.message));
            return faults.into_iter().map(fault).collect();
        }
        let mut findings = vec![passed("settings", "The settings are complete.".to_owned())];
        let timeout = self.options.timeout * PROBE_TIMEOUTS;
        if tokio::time::timeout(timeout, self.probe(provider, redirect_uri, &mut findings)).await.is_err() {
            let message = "The provider is too slow: the checks took too long. Try again, or ask its operator.";
            findings.push(failed("discovery", message.to_owned()));
        }
        findings
    }
}
