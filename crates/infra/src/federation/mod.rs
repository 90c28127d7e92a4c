//! placeholder until the adapter lands
use denizen_domain::error::FieldError;
use denizen_domain::ports::{Clock, Random};
use denizen_domain::providers::*;
use secrecy::SecretString;
use std::sync::Arc;
pub fn check(_: &ProviderSettings, _: bool) -> Result<(), Vec<FieldError>> {
    Ok(())
}
pub struct FederationOptions {
    pub allowed_hosts: Vec<String>,
    pub extra_ca: Option<Vec<u8>>,
    pub timeout: std::time::Duration,
}
pub struct HttpFederation;
impl HttpFederation {
    pub fn new(_: FederationOptions, _: Arc<dyn Clock>, _: Arc<dyn Random>) -> Self {
        Self
    }
}
#[async_trait::async_trait]
impl Federation for HttpFederation {
    fn check(&self, _: &ProviderSettings, _: bool) -> Result<(), Vec<FieldError>> {
        Ok(())
    }
    fn display(&self, p: &Provider) -> ProviderDisplay {
        ProviderDisplay { label: p.name.to_string(), icon: String::new() }
    }
    async fn authorization_url(&self, _: &Provider, _: &AuthorizationRequest<'_>) -> Result<String, FederationError> {
        Err(FederationError::Unavailable("x".into()))
    }
    async fn redeem(&self, _: &Provider, _: &AuthorizationGrant<'_>) -> Result<OutsideIdentity, FederationError> {
        Err(FederationError::Unavailable("x".into()))
    }
    async fn verify_id_token(
        &self,
        _: &Provider,
        _: &SecretString,
        _: &str,
    ) -> Result<OutsideIdentity, FederationError> {
        Err(FederationError::Unavailable("x".into()))
    }
    async fn test(&self, _: &Provider, _: &str) -> Vec<Finding> {
        vec![]
    }
}
