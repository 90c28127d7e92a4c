//! The metadata of OpenID Connect providers (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

use std::sync::Arc;

use serde::Deserialize;

use super::HttpFederation;
use super::cache::{Demand, Fetched};
use super::failure::Failure;
use super::fetch::{get, json_object, lifetime_s};
use super::presets::{ClientAuth, Protocol};
use super::resolve::{DOCUMENT_TIMEOUT, Endpoint, Resolved};
use crate::outside::{Answer, Outside};

/// What is used of a provider's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    pub(super) userinfo_endpoint: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// The endpoints of a provider, from its settings, its preset and its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) authorization: String,
    pub(super) token: String,
    pub(super) userinfo: Option<String>,
    /// The JWK Set; empty for a provider without ID tokens.
    pub(super) jwks: String,
    pub(super) client_auth: ClientAuth,
    /// Whether the authorization response names the issuer (RFC 9207 §3).
    pub(super) names_issuer: bool,
}

/// Reads the metadata. `issuer` must be the issuer that they were requested for, character by character.
pub(super) fn parse_metadata(answer: &Answer, issuer: &str) -> Result<Metadata, Failure> {
    let document = json_object(answer, "discovery")?;
    let metadata: Metadata = serde_json::from_value(document)
        .map_err(|_| Failure::because("discovery", "an endpoint is missing or has another type than string"))?;
    if metadata.issuer != issuer {
        return Err(Failure::because("discovery_issuer", "the metadata name another issuer"));
    }
    Ok(metadata)
}

/// Fetches the metadata, within seconds.
pub(super) async fn fetch_metadata(outside: &Outside, url: &str, issuer: &str) -> Result<(Metadata, Answer), Failure> {
    let answer = tokio::time::timeout(DOCUMENT_TIMEOUT, get(outside, url, "discovery"));
    let answer =
        answer.await.map_err(|_| Failure::Unavailable("the metadata were not answered in time".to_owned()))??;
    Ok((parse_metadata(&answer, issuer)?, answer))
}

impl HttpFederation {
    /// The endpoints of a provider. Its metadata are fetched if the settings do not state all of them.
    pub(super) async fn endpoints(&self, provider: &Resolved<'_>, demand: Demand) -> Result<Endpoints, Failure> {
        if let Some(endpoints) = stated_endpoints(provider) {
            return Ok(endpoints);
        }
        let missing = || Failure::because("settings", "the issuer or an endpoint is missing");
        if provider.protocol == Protocol::Oauth2 {
            return Err(missing());
        }
        let (issuer, url) = provider.issuer().zip(provider.discovery_url()).ok_or_else(missing)?;
        let metadata = self.metadata(issuer, &url, demand).await?;
        Ok(merged(provider, &metadata))
    }

    /// Whether [`HttpFederation::endpoints`] answers without a request.
    pub(super) fn has_endpoints(&self, provider: &Resolved<'_>) -> bool {
        let is_cached = || provider.issuer().is_some_and(|issuer| self.metadata.has(issuer));
        stated_endpoints(provider).is_some() || is_cached()
    }

    async fn metadata(&self, issuer: &str, url: &str, demand: Demand) -> Result<Arc<Metadata>, Failure> {
        let outside = self.outside()?;
        let (expected, url) = (issuer.to_owned(), url.to_owned());
        let fetch = || async move {
            let (value, answer) = fetch_metadata(&outside, &url, &expected).await?;
            Ok(Fetched { value, lifetime_s: lifetime_s(&answer) })
        };
        // Not by the URL, which issuers with and without a trailing slash share.
        self.metadata.get(issuer, demand, fetch).await
    }
}

/// The endpoints, if none has to be discovered.
fn stated_endpoints(provider: &Resolved<'_>) -> Option<Endpoints> {
    let endpoint = |endpoint| provider.endpoint(endpoint).map(str::to_owned);
    let jwks = match provider.protocol {
        Protocol::OpenidConnect => endpoint(Endpoint::Jwks)?,
        Protocol::Oauth2 => String::new(),
    };
    Some(Endpoints {
        authorization: endpoint(Endpoint::Authorization)?,
        token: endpoint(Endpoint::Token)?,
        userinfo: endpoint(Endpoint::Userinfo),
        jwks,
        client_auth: client_auth(provider, None),
        names_issuer: false,
    })
}

fn merged(provider: &Resolved<'_>, metadata: &Metadata) -> Endpoints {
    let or = |endpoint, discovered: &String| provider.endpoint(endpoint).unwrap_or(discovered).to_owned();
    let stated_userinfo = provider.endpoint(Endpoint::Userinfo).map(str::to_owned);
    Endpoints {
        authorization: or(Endpoint::Authorization, &metadata.authorization_endpoint),
        token: or(Endpoint::Token, &metadata.token_endpoint),
        userinfo: stated_userinfo.or_else(|| metadata.userinfo_endpoint.clone()),
        jwks: or(Endpoint::Jwks, &metadata.jwks_uri),
        client_auth: client_auth(provider, metadata.token_endpoint_auth_methods_supported.as_deref()),
        names_issuer: metadata.authorization_response_iss_parameter_supported,
    }
}

/// `client_secret_basic` is what every provider supports that does not say otherwise.
fn client_auth(provider: &Resolved<'_>, supported: Option<&[String]>) -> ClientAuth {
    let has = |method: &str| supported.is_none_or(|supported| supported.iter().any(|supported| supported == method));
    let discovered = if has("client_secret_basic") { ClientAuth::Basic } else { ClientAuth::Post };
    provider.preset.and_then(|preset| preset.client_auth).unwrap_or(discovered)
}
