//! The settings of a provider, completed by its preset.

use std::collections::BTreeMap;
use std::time::Duration;

use denizen_domain::providers::{EmailTrust, ProviderSettings};
use reqwest::Url;

use super::failure::Failure;
use super::presets::{self, Preset, Protocol, SecretKind};

/// Stands in an issuer for the claim `tid`.
pub(super) const TENANT: &str = "{tenantid}";
/// The tenant that discovers on behalf of all tenants.
const COMMON_TENANT: &str = "common";
/// The scopes if neither settings nor preset name any.
const DEFAULT_SCOPES: [&str; 3] = ["openid", "email", "profile"];
/// How long the metadata or the keys of a provider may take.
pub(super) const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(4);

/// A provider, completed by its preset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved<'a> {
    pub(super) settings: &'a ProviderSettings,
    /// The client id of the settings.
    pub(super) client_id: &'a str,
    pub(super) preset: Option<&'static Preset>,
    pub(super) protocol: Protocol,
}

impl<'a> Resolved<'a> {
    /// Completes the settings. They have been checked when they were stored, possibly by another version.
    pub(super) fn new(settings: &'a ProviderSettings) -> Result<Self, Failure> {
        let preset = match settings.preset.as_deref() {
            Some(name) => Some(presets::find(name).ok_or_else(|| Failure::because("settings", "unknown preset"))?),
            None => None,
        };
        let is_plain = settings.issuer.is_none() && settings.userinfo_url.is_some();
        let described = if is_plain { Protocol::Oauth2 } else { Protocol::OpenidConnect };
        let client_id = &settings.client_id;
        Ok(Self { settings, client_id, preset, protocol: preset.map_or(described, |preset| preset.protocol) })
    }

    /// The issuer identifier, in which [`TENANT`] may stand for a claim. Only OpenID Connect needs one.
    pub(super) fn issuer(&self) -> Option<&'a str> {
        self.settings.issuer.as_deref().or_else(|| self.preset?.issuer.as_deref())
    }

    /// The issuer of identities from a provider without ID tokens.
    pub(super) fn plain_issuer(&self) -> Option<String> {
        let has_own_endpoint = self.settings.authorization_url.is_some();
        if let Some(issuer) = &self.settings.issuer {
            return Some(issuer.clone());
        }
        let preset = self.preset.filter(|_| !has_own_endpoint).and_then(|preset| preset.issuer.clone());
        preset.or_else(|| origin_of(self.settings.authorization_url.as_deref()?))
    }

    /// The URL of the provider's metadata (OpenID Connect Discovery 1.0 §4).
    pub(super) fn discovery_url(&self) -> Option<String> {
        let issuer = self.issuer()?.replace(TENANT, COMMON_TENANT);
        Some(format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
    }

    /// An endpoint that the settings state, or the preset unless the operator gives another issuer.
    pub(super) fn endpoint(&self, endpoint: Endpoint) -> Option<&'a str> {
        let settings = self.settings;
        let own = match endpoint {
            Endpoint::Authorization => settings.authorization_url.as_deref(),
            Endpoint::Token => settings.token_url.as_deref(),
            Endpoint::Userinfo => settings.userinfo_url.as_deref(),
            Endpoint::Jwks => None,
        };
        let has_own_issuer = settings.issuer.is_some() && self.protocol == Protocol::OpenidConnect;
        let preset = self.preset.filter(|_| !has_own_issuer);
        own.or_else(|| match endpoint {
            Endpoint::Authorization => preset?.authorization_url.as_deref(),
            Endpoint::Token => preset?.token_url.as_deref(),
            Endpoint::Userinfo => preset?.userinfo_url.as_deref(),
            Endpoint::Jwks => preset?.jwks_url.as_deref(),
        })
    }

    /// The scopes to request.
    pub(super) fn scopes(&self) -> Vec<&'a str> {
        let settings = &self.settings.scopes;
        let mut scopes: Vec<&str> = match self.preset {
            _ if !settings.is_empty() => settings.iter().map(String::as_str).collect(),
            Some(preset) => preset.scopes.iter().map(String::as_str).collect(),
            None => DEFAULT_SCOPES.to_vec(),
        };
        if self.protocol == Protocol::OpenidConnect && !scopes.contains(&"openid") {
            scopes.insert(0, "openid");
        }
        scopes
    }

    /// Further parameters of the authorization request.
    pub(super) fn authorization_params(&self) -> BTreeMap<&'a str, &'a str> {
        let preset = self.preset.iter().flat_map(|preset| &preset.authorization_params);
        preset.chain(&self.settings.authorization_params).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The claim, or the JSON Pointer to it, that fills a field of the user.
    pub(super) fn claim(&self, field: &'a str) -> &'a str {
        let stated = self.settings.claims.get(field).or_else(|| self.preset?.claims.get(field));
        stated.map_or(if field == "subject" { "sub" } else { field }, String::as_str)
    }

    /// The claims that identify the user together, if it takes several.
    pub(super) fn subject_parts(&self) -> &'static [String] {
        let preset = self.preset.filter(|_| !self.settings.claims.contains_key("subject"));
        preset.map_or(&[], |preset| &preset.subject_parts)
    }

    /// When an address counts as verified.
    pub(super) fn email_trust(&self) -> EmailTrust {
        let preset = self.preset.map_or(EmailTrust::Claim, |preset| preset.email_trust);
        self.settings.email_trust.unwrap_or(preset)
    }

    /// What the client secret is.
    pub(super) fn secret_kind(&self) -> SecretKind {
        self.preset.map_or(SecretKind::Optional, |preset| preset.secret)
    }

    /// Whether PKCE parameters are sent.
    pub(super) fn has_pkce(&self) -> bool {
        self.preset.is_none_or(|preset| preset.pkce)
    }
}

/// An endpoint of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Authorization,
    Token,
    Userinfo,
    Jwks,
}

/// The origin of a URL (RFC 6454): scheme, host and port.
pub(super) fn origin_of(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Whether an issuer is the expected one, in which `{tenantid}` stands for any tenant.
pub(super) fn is_issuer(named: &str, expected: &str) -> bool {
    let Some((before, after)) = expected.split_once(TENANT) else { return named == expected };
    let tenant = named.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    named == expected || tenant.is_some_and(is_tenant_id)
}

/// A UUID in its usual form.
pub(super) fn is_tenant_id(text: &str) -> bool {
    let is_digit = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_digit)
}
