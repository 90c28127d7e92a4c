//! Providers as JSON.

use std::collections::BTreeMap;

use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::providers::manage::{ManagedProvider, ProviderChange};
use denizen_domain::providers::{EmailTrust, LinkPolicy, ProviderSettings};
use denizen_domain::time::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::problem::Problem;
use crate::json_form::{self, FormError};

/// The settings of a provider. What is omitted comes from the preset, or has its default.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ProviderSettings, example = json!({"preset": "google", "client_id": "1234.apps.googleusercontent.com"}))]
pub(crate) struct SettingsBody {
    /// The name of a preset: `google`, `microsoft`, `entra`, `apple`, `github`, `gitlab`, `facebook`, `linkedin`,
    /// `discord`, `slack`, `twitch`, `spotify`, `x`, `bitbucket`, `amazon`, `zoom`, `notion`, `keycloak`, `okta` or
    /// `auth0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    preset: Option<String>,
    /// The text of the sign-in button.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 64)]
    label: Option<String>,
    /// The issuer identifier (OpenID Connect Discovery). Endpoints and keys are discovered from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    issuer: Option<String>,
    /// The authorization endpoint of a provider without discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    authorization_url: Option<String>,
    /// The token endpoint of a provider without discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_url: Option<String>,
    /// The endpoint that describes the user, of a provider without ID tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    userinfo_url: Option<String>,
    /// The client id that the provider issued.
    client_id: String,
    /// The client ids of native applications, which are also accepted as the audience of their ID tokens.
    native_client_ids: Vec<String>,
    /// The redirect URIs of native applications that send authorization codes instead of ID tokens.
    native_redirect_urls: Vec<String>,
    /// The scopes to request.
    scopes: Vec<String>,
    /// When an email address of the provider counts as verified: `never`, by its claim (`claim`), or `always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^(never|claim|always)$")]
    email_trust: Option<String>,
    /// Whether a first sign-in is linked to an existing user of the same address: `never`, or if the address is
    /// `verified` on both sides. Default: `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^(never|verified)$")]
    link: Option<String>,
    /// Whether a first sign-in may create a user, as far as `signup.mode` allows it. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    signup: Option<bool>,
    /// Only users with a verified address in one of these domains; everybody if empty.
    allowed_domains: Vec<String>,
    /// Whether multi-factor authentication that the provider reports (`amr`) satisfies the second factor.
    trust_mfa: bool,
    /// Whether each sign-in updates name, language, mapped attributes and mapped role.
    update_profile: bool,
    /// Whether the tokens that the provider issues are kept, for `POST
    /// /api/v1/users/{id}/identities/{identity_id}/token`.
    keep_tokens: bool,
    /// Which claim, by name or JSON Pointer, a field is taken from: `subject`, `email`, `email_verified`, `name`,
    /// `locale` or `attributes.NAME`, such as `attributes.picture`.
    claims: BTreeMap<String, String>,
    /// The claim that decides the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role_claim: Option<String>,
    /// The role for each value of `role_claim`.
    roles: BTreeMap<String, String>,
    /// Further parameters of the authorization request.
    authorization_params: BTreeMap<String, String>,
    /// The team id, for `apple`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    team_id: Option<String>,
    /// The id of the private key, for `apple`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key_id: Option<String>,
}

/// Names a value among the allowed ones.
macro_rules! choice {
    ($field:literal, $raw:expr, $default:expr, $($name:literal => $value:expr),+) => {
        match $raw {
            None => Ok($default),
            $(Some($name) => Ok($value),)+
            Some(_) => {
                let names = [$($name),+].join(", ");
                let rule = RuleBroken { code: "invalid_value", message: format!("must be one of {names}") };
                Err(rule.at(concat!("settings.", $field)))
            }
        }
    };
}

impl SettingsBody {
    /// The settings; every field at fault is reported.
    pub(crate) fn into_settings(self) -> Result<ProviderSettings, Vec<FieldError>> {
        let email_trust = choice!("email_trust", self.email_trust.as_deref(), None,
            "never" => Some(EmailTrust::Never), "claim" => Some(EmailTrust::Claim), "always" => Some(EmailTrust::Always));
        let link = choice!("link", self.link.as_deref(), LinkPolicy::Never,
            "never" => LinkPolicy::Never, "verified" => LinkPolicy::Verified);
        let (email_trust, link) = match (email_trust, link) {
            (Ok(email_trust), Ok(link)) => (email_trust, link),
            (one, other) => return Err(one.err().into_iter().chain(other.err()).collect()),
        };
        Ok(ProviderSettings {
            preset: self.preset,
            label: self.label,
            issuer: self.issuer,
            authorization_url: self.authorization_url,
            token_url: self.token_url,
            userinfo_url: self.userinfo_url,
            client_id: self.client_id,
            native_client_ids: self.native_client_ids,
            native_redirect_urls: self.native_redirect_urls,
            scopes: self.scopes,
            email_trust,
            link,
            signup: self.signup.unwrap_or(true),
            allowed_domains: self.allowed_domains,
            trust_mfa: self.trust_mfa,
            update_profile: self.update_profile,
            keep_tokens: self.keep_tokens,
            claims: self.claims,
            role_claim: self.role_claim,
            roles: self.roles,
            authorization_params: self.authorization_params,
            team_id: self.team_id,
            key_id: self.key_id,
        })
    }
}

impl From<ProviderSettings> for SettingsBody {
    fn from(settings: ProviderSettings) -> Self {
        let trust = |trust| match trust {
            EmailTrust::Never => "never",
            EmailTrust::Claim => "claim",
            EmailTrust::Always => "always",
        };
        let link = match settings.link {
            LinkPolicy::Never => "never",
            LinkPolicy::Verified => "verified",
        };
        Self {
            preset: settings.preset,
            label: settings.label,
            issuer: settings.issuer,
            authorization_url: settings.authorization_url,
            token_url: settings.token_url,
            userinfo_url: settings.userinfo_url,
            client_id: settings.client_id,
            native_client_ids: settings.native_client_ids,
            native_redirect_urls: settings.native_redirect_urls,
            scopes: settings.scopes,
            email_trust: settings.email_trust.map(|value| trust(value).to_owned()),
            link: Some(link.to_owned()),
            signup: Some(settings.signup),
            allowed_domains: settings.allowed_domains,
            trust_mfa: settings.trust_mfa,
            update_profile: settings.update_profile,
            keep_tokens: settings.keep_tokens,
            claims: settings.claims,
            role_claim: settings.role_claim,
            roles: settings.roles,
            authorization_params: settings.authorization_params,
            team_id: settings.team_id,
            key_id: settings.key_id,
        }
    }
}

/// The settings after a JSON Merge Patch.
pub(crate) fn patched(current: &ProviderSettings, patch: Map<String, Value>) -> Result<ProviderSettings, Problem> {
    let current = serde_json::to_value(SettingsBody::from(current.clone())).map_err(|_| Problem::internal())?;
    let Value::Object(mut members) = current else { return Err(Problem::internal()) };
    merge(&mut members, patch);
    settings_from(&Value::Object(members))
}

/// Settings from JSON; every field at fault is reported below `settings`.
fn settings_from(value: &Value) -> Result<ProviderSettings, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|_| Problem::internal())?;
    let body: SettingsBody = json_form::read(&bytes).map_err(|error| match error {
        FormError::Fields(faults) => Problem::from(below_settings(faults)),
        // What was serialised a moment ago is JSON.
        FormError::Empty | FormError::Syntax { .. } => Problem::internal(),
    })?;
    Ok(body.into_settings()?)
}

fn below_settings(faults: Vec<FieldError>) -> Vec<FieldError> {
    let below = |fault: FieldError| FieldError { field: format!("settings.{}", fault.field), ..fault };
    faults.into_iter().map(below).collect()
}

fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match (value, target.get_mut(&name)) {
            (Value::Null, _) => drop(target.remove(&name)),
            (Value::Object(inner), Some(Value::Object(object))) => merge(object, inner),
            (value, _) => drop(target.insert(name, value)),
        }
    }
}

/// A new provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "google", "settings": {"preset": "google", "client_id": "1234.apps.googleusercontent.com"},
    "client_secret": "GOCSPX-1234"
}))]
pub(super) struct CreateProviderBody {
    /// Unique name, part of the callback URL: a lower-case letter, followed by up to 31 of `a-z`, `0-9` and `-`.
    #[schema(max_length = 32, pattern = "^[a-z][a-z0-9-]{0,31}$")]
    pub(super) name: String,
    /// The settings.
    pub(super) settings: SettingsBody,
    /// The client secret; for `apple`, the private key in PEM. It is encrypted and never returned.
    #[schema(value_type = Option<String>, format = Password)]
    pub(super) client_secret: Option<SecretString>,
    /// Whether users can sign in with it. Default: true.
    pub(super) enabled: Option<bool>,
}

/// A full replacement of a provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"settings": {"preset": "google", "client_id": "1234.apps.googleusercontent.com"}}))]
pub(crate) struct ReplaceProviderBody {
    /// The settings.
    settings: SettingsBody,
    /// The client secret. Unchanged if omitted.
    #[schema(value_type = Option<String>, format = Password)]
    client_secret: Option<SecretString>,
    /// Whether users can sign in with it. Unchanged if omitted.
    enabled: Option<bool>,
}

impl ReplaceProviderBody {
    /// The change; every field at fault is reported.
    pub(crate) fn into_change(self) -> Result<ProviderChange, Vec<FieldError>> {
        Ok(ProviderChange {
            settings: Some(self.settings.into_settings()?),
            client_secret: self.client_secret.map(Some),
            is_enabled: self.enabled,
        })
    }
}

/// A change of a provider. What is omitted stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"settings": {"label": "Google Workspace", "scopes": null}, "enabled": false}))]
pub(super) struct PatchProviderBody {
    /// The settings to change; `null` removes one.
    #[schema(value_type = Option<Object>)]
    pub(super) settings: Option<Map<String, Value>>,
    /// Another client secret; `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = Password)]
    #[expect(clippy::option_option, reason = "absent, null and a text are three things")]
    pub(super) client_secret: Option<Option<SecretString>>,
    /// Whether users can sign in with it.
    pub(super) enabled: Option<bool>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<SecretString>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An outside provider.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "name": "google", "settings": {"preset": "google", "client_id": "1234.apps.googleusercontent.com", "native_client_ids": [],
    "native_redirect_urls": [], "scopes": [],
    "link": "never", "signup": true, "allowed_domains": [], "trust_mfa": false, "update_profile": false,
    "keep_tokens": false, "claims": {},
    "roles": {}, "authorization_params": {}}, "has_secret": true, "enabled": true, "source": "database",
    "created_at": "2026-11-22T17:30:18.000001Z", "updated_at": "2026-11-22T17:30:18.000001Z"
}))]
pub(crate) struct ProviderBody {
    /// Unique name.
    name: String,
    /// The settings.
    settings: SettingsBody,
    /// Whether there is a client secret.
    has_secret: bool,
    /// Whether users can sign in with it.
    enabled: bool,
    /// `database`, or `configuration`: then it can only be changed there.
    #[schema(pattern = "^(database|configuration)$")]
    source: &'static str,
    /// Creation time, of a provider of the database.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// Time of the last change, of a provider of the database.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
}

impl From<ManagedProvider> for ProviderBody {
    fn from(provider: ManagedProvider) -> Self {
        Self {
            name: provider.name.to_string(),
            settings: provider.settings.into(),
            has_secret: provider.has_secret,
            enabled: provider.is_enabled,
            source: if provider.stored.is_some() { "database" } else { "configuration" },
            created_at: provider.stored.map(|stored| stored.created_at),
            updated_at: provider.stored.map(|stored| stored.updated_at),
        }
    }
}
