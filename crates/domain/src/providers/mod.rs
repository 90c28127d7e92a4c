//! Outside identity providers: OpenID Connect issuers and OAuth 2 servers through which users sign in.
//!
//! Reading order: this file (what a provider is) → [`port`] (how one is spoken to) → [`manage`] (how they are
//! changed).

mod find;
mod issuers;
pub mod manage;
mod name;
pub mod port;
mod redirects;
pub mod store;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use find::find_any;
pub use find::{Providers, callback_of, displays, displays_for_invitation};
pub(crate) use find::{find, is_usable};
pub(crate) use issuers::Issuers;
pub use name::ProviderName;
pub use port::{
    AuthorizationGrant, AuthorizationRequest, CodeBinding, Federation, FederationError, Finding, NativeGrant,
    OutsideIdentity, ProviderDisplay, ProviderTokens, Redeemed, RefreshError,
};
pub use redirects::{Redirects, with_query};

/// A provider that users can sign in with.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Unique name; part of the callback URL.
    pub name: ProviderName,
    /// The settings.
    pub settings: ProviderSettings,
    /// The client secret, or for `apple` the private key (PEM) that signs it. Public clients have none.
    pub client_secret: Option<SecretString>,
}

/// The settings of a provider, without its secret. What is absent comes from the preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each setting is independent of the others")]
pub struct ProviderSettings {
    /// The name of a preset, such as `google`. Absent for a provider that is described in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// The text of the sign-in button; otherwise that of the preset, or the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The issuer identifier (OpenID Connect Discovery 1.0). Endpoints and keys are discovered from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The authorization endpoint of a provider without discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_url: Option<String>,
    /// The token endpoint of a provider without discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The endpoint that describes the user, of a provider without ID tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_url: Option<String>,
    /// The client id that the provider issued.
    pub client_id: String,
    /// Further client ids at the provider: those of native applications, which present ID tokens that were issued to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub native_client_ids: Vec<String>,
    /// The redirect URIs of native applications that send authorization codes instead of ID tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub native_redirect_urls: Vec<String>,
    /// The scopes to request; those of the preset, or `openid email profile`, if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// When an email address of this provider counts as verified; the rule of the preset if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_trust: Option<EmailTrust>,
    /// Whether a first sign-in may be linked to an existing user.
    pub link: LinkPolicy,
    /// Whether a first sign-in may create a user, as far as `signup.mode` allows it.
    #[serde(skip_serializing_if = "is_true")]
    pub signup: bool,
    /// Only users with a verified address of one of these domains; everybody if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_domains: Vec<String>,
    /// Whether an `amr` that reports multi-factor authentication (RFC 8176) satisfies the second factor here.
    #[serde(skip_serializing_if = "is_false")]
    pub trust_mfa: bool,
    /// Whether each sign-in updates name, locale and mapped attributes; otherwise only the first one sets them.
    #[serde(skip_serializing_if = "is_false")]
    pub update_profile: bool,
    /// Whether the tokens that the provider issues are kept, for the backend of the product.
    #[serde(skip_serializing_if = "is_false")]
    pub keep_tokens: bool,
    /// Which claim a field of the user is taken from: `name`, `locale`, `email`, `email_verified`, `subject`,
    /// or `attributes.NAME`, each with the name of a claim, or a JSON Pointer (RFC 6901) into the claims.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
    /// The claim that decides the role, as in `claims`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_claim: Option<String>,
    /// The role for each value of `role_claim`. Of several values that the claim has, the first in alphabetical order
    /// decides.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// Further parameters of the authorization request, such as `hd`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub authorization_params: BTreeMap<String, String>,
    /// The team id, for `apple`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The id of the private key, for `apple`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

impl ProviderSettings {
    /// Whether a client id is that of the server, or of a native application.
    #[must_use]
    pub fn has_client(&self, client_id: &str) -> bool {
        self.client_id == client_id || self.native_client_ids.iter().any(|listed| listed == client_id)
    }
}

impl Default for ProviderSettings {
    /// Nothing but the preset decides, users may be created, and none is linked.
    fn default() -> Self {
        Self {
            preset: None,
            label: None,
            issuer: None,
            authorization_url: None,
            token_url: None,
            userinfo_url: None,
            client_id: String::new(),
            native_client_ids: Vec::new(),
            native_redirect_urls: Vec::new(),
            scopes: Vec::new(),
            email_trust: None,
            link: LinkPolicy::Never,
            signup: true,
            allowed_domains: Vec::new(),
            trust_mfa: false,
            update_profile: false,
            keep_tokens: false,
            claims: BTreeMap::new(),
            role_claim: None,
            roles: BTreeMap::new(),
            authorization_params: BTreeMap::new(),
            team_id: None,
            key_id: None,
        }
    }
}

/// When an email address of a provider counts as verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailTrust {
    /// Never.
    Never,
    /// If the claim `email_verified` is true.
    Claim,
    /// Always: the provider is known to verify each address.
    Always,
}

/// Whether a first sign-in through a provider may be linked to an existing user of the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPolicy {
    /// No: the user signs in first, and links the identity then.
    #[default]
    Never,
    /// If the address is verified on both sides.
    Verified,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}
