//! Which provider has an issuer.

use super::{Provider, ProviderName};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::store::ReadTx;
use crate::users::ImportIdentity;

/// Stands for the tenant in the issuer of a provider with many.
const TENANT: &str = "{tenantid}";

/// The issuers of all providers, enabled or not.
#[derive(Debug, Default)]
pub(crate) struct Issuers(Vec<(String, ProviderName)>);

impl Issuers {
    /// Reads the providers of the configuration and of the database.
    pub(crate) async fn read(ctx: &Ctx, tx: &mut dyn ReadTx) -> Result<Self> {
        let services = ctx.services();
        let mut issuers = Vec::new();
        let mut add = |provider: &Provider| {
            issuers.extend(services.federation.issuer(provider).map(|issuer| (issuer, provider.name.clone())));
        };
        services.providers.iter().for_each(&mut add);
        for stored in tx.list_providers().await? {
            add(&Provider { name: stored.name, settings: stored.settings, client_secret: None });
        }
        Ok(Self(issuers))
    }

    /// The provider of an identity: one of its issuer, otherwise the one that the identity names.
    pub(crate) fn provider_of(&self, identity: &ImportIdentity) -> Option<ProviderName> {
        let found = self.0.iter().find(|(issuer, _)| is_issued_by(&identity.issuer, issuer));
        found.map(|(_, name)| name.clone()).or_else(|| identity.provider.clone())
    }
}

fn is_issued_by(issuer: &str, pattern: &str) -> bool {
    match pattern.split_once(TENANT) {
        None => issuer == pattern,
        Some((head, tail)) => {
            let tenant = issuer.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
            tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_issued_by;

    #[test]
    fn a_tenant_matches_one_segment() {
        let pattern = "https://login.example.com/{tenantid}/v2.0";
        for (issuer, expected) in [
            ("https://login.example.com/9188040d/v2.0", true),
            ("https://login.example.com//v2.0", false),
            ("https://login.example.com/a/b/v2.0", false),
            ("https://login.example.com/v2.0", false),
        ] {
            assert_eq!(is_issued_by(issuer, pattern), expected, "{issuer}");
        }
        assert!(is_issued_by("https://a.example.com", "https://a.example.com"));
        assert!(!is_issued_by("https://a.example.com/", "https://a.example.com"));
    }
}
