//! Checks the settings of a provider, all faults together.

use denizen_domain::error::FieldError;
use denizen_domain::providers::{ProviderSettings, Redirects};
use denizen_domain::roles::RoleName;
use denizen_domain::users::EmailDomain;

use super::mapping::{ATTRIBUTE_PREFIX, ATTRIBUTES_MAX};
use super::presets::{self, Preset, Protocol, SecretKind};
use super::resolve::{Endpoint, Resolved, TENANT};
use crate::outside::AddressRules;

/// The fields of a user that a claim can fill, besides attributes.
const CLAIM_FIELDS: [&str; 5] = ["subject", "email", "email_verified", "name", "locale"];
/// Parameters of the authorization request that are not the operator's to set.
const RESERVED_PARAMS: [&str; 10] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "request",
    "response_type",
    "scope",
    "state",
];
/// The most entries of a list or a map.
const ENTRIES_MAX: usize = 64;
/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 2_048;
/// The longest name and the longest id, in bytes: scopes, domains, client ids, claims' fields, parameters and values.
const NAME_BYTES_MAX: usize = 256;

/// Collects faults.
struct Review<'a> {
    settings: &'a ProviderSettings,
    faults: Vec<FieldError>,
}

/// Checks everything that can be checked without the provider.
pub(super) fn check(
    settings: &ProviderSettings,
    has_secret: bool,
    rules: &AddressRules,
) -> Result<(), Vec<FieldError>> {
    let mut review = Review { settings, faults: Vec::new() };
    let preset = review.preset();
    review.sizes();
    review.entry_sizes();
    review.urls(rules);
    review.description(preset);
    review.credentials(preset, has_secret);
    review.claims();
    review.roles();
    review.lists();
    if review.faults.is_empty() { Ok(()) } else { Err(review.faults) }
}

impl Review<'_> {
    fn fault(&mut self, field: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.faults.push(FieldError::new(field, code, message));
    }

    fn preset(&mut self) -> Option<&'static Preset> {
        let name = self.settings.preset.as_deref()?;
        let preset = presets::find(name);
        if preset.is_none() {
            let known = presets::names().collect::<Vec<_>>().join(", ");
            let nearest = presets::nearest(name).map(|nearest| format!(" Did you mean {nearest}?")).unwrap_or_default();
            self.fault("preset", "unknown_preset", format!("must be one of {known}.{nearest}"));
        }
        preset
    }

    fn sizes(&mut self) {
        let settings = self.settings;
        let texts = [
            ("label", settings.label.as_deref()),
            ("issuer", settings.issuer.as_deref()),
            ("authorization_url", settings.authorization_url.as_deref()),
            ("token_url", settings.token_url.as_deref()),
            ("userinfo_url", settings.userinfo_url.as_deref()),
            ("client_id", Some(settings.client_id.as_str())),
            ("role_claim", settings.role_claim.as_deref()),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
                self.fault(field, "too_long", format!("must be at most {TEXT_BYTES_MAX} bytes long"));
            }
        }
        let lengths = [
            ("native_client_ids", settings.native_client_ids.len()),
            ("native_redirect_urls", settings.native_redirect_urls.len()),
            ("scopes", settings.scopes.len()),
            ("allowed_domains", settings.allowed_domains.len()),
            ("claims", settings.claims.len()),
            ("roles", settings.roles.len()),
            ("authorization_params", settings.authorization_params.len()),
        ];
        for (field, length) in lengths {
            if length > ENTRIES_MAX {
                self.fault(field, "too_many", format!("must have at most {ENTRIES_MAX} entries"));
            }
        }
    }

    /// The sizes of the entries of lists and maps.
    fn entry_sizes(&mut self) {
        let settings = self.settings;
        let lists = [
            ("native_client_ids", &settings.native_client_ids, NAME_BYTES_MAX),
            ("native_redirect_urls", &settings.native_redirect_urls, TEXT_BYTES_MAX),
            ("scopes", &settings.scopes, NAME_BYTES_MAX),
            ("allowed_domains", &settings.allowed_domains, NAME_BYTES_MAX),
        ];
        for (field, items, bytes_max) in lists {
            if items.iter().any(|item| item.len() > bytes_max) {
                self.fault(field, "too_long", format!("must have entries of at most {bytes_max} bytes"));
            }
        }
        // The paths of claims and the names of roles have rules of their own.
        let maps = [
            ("claims", &settings.claims, usize::MAX),
            ("roles", &settings.roles, usize::MAX),
            ("authorization_params", &settings.authorization_params, TEXT_BYTES_MAX),
        ];
        for (field, entries, bytes_max) in maps {
            if entries.keys().any(|name| name.len() > NAME_BYTES_MAX) {
                self.fault(field, "too_long", format!("must have names of at most {NAME_BYTES_MAX} bytes"));
            }
            if entries.values().any(|value| value.len() > bytes_max) {
                self.fault(field, "too_long", format!("must have values of at most {bytes_max} bytes"));
            }
        }
        for (field, id) in [("team_id", &settings.team_id), ("key_id", &settings.key_id)] {
            if id.as_ref().is_some_and(|id| id.len() > NAME_BYTES_MAX) {
                self.fault(field, "too_long", format!("must be at most {NAME_BYTES_MAX} bytes long"));
            }
        }
    }

    fn urls(&mut self, rules: &AddressRules) {
        let settings = self.settings;
        let urls = [
            ("issuer", &settings.issuer),
            ("authorization_url", &settings.authorization_url),
            ("token_url", &settings.token_url),
            ("userinfo_url", &settings.userinfo_url),
        ];
        for (field, url) in urls {
            let Some(url) = url else { continue };
            let url = url.replace(TENANT, "common");
            match rules.host_of(&url) {
                Err(broken) => self.faults.push(broken.at(field)),
                Ok(_) if field == "issuer" && url.contains('?') => {
                    self.fault(field, "invalid_url", "must not have a query component");
                }
                Ok(_) => {}
            }
        }
    }

    /// Whether it is known where the provider is.
    fn description(&mut self, preset: Option<&'static Preset>) {
        let settings = self.settings;
        if settings.preset.is_some() && preset.is_none() {
            return;
        }
        if let Some(example) = preset.and_then(|preset| preset.issuer_example.as_deref()) {
            if settings.issuer.is_none() {
                self.fault("issuer", "required", format!("must be the issuer identifier, such as {example}"));
            }
            return;
        }
        let Ok(resolved) = Resolved::new(settings) else { return };
        if resolved.protocol == Protocol::OpenidConnect {
            if resolved.issuer().is_none() {
                let message = "must be the issuer identifier; for a provider without OpenID Connect, set \
                               authorization_url, token_url and userinfo_url instead";
                self.fault("issuer", "required", message);
            }
            return;
        }
        let endpoints = [
            ("authorization_url", Endpoint::Authorization),
            ("token_url", Endpoint::Token),
            ("userinfo_url", Endpoint::Userinfo),
        ];
        let needs_userinfo = preset.is_none_or(|preset| preset.profile_in_token_response.is_none());
        for (field, endpoint) in endpoints {
            let is_needed = endpoint != Endpoint::Userinfo || needs_userinfo;
            if is_needed && resolved.endpoint(endpoint).is_none() {
                self.fault(field, "required", "must be the URL of the endpoint, because no issuer is set");
            }
        }
    }

    fn credentials(&mut self, preset: Option<&'static Preset>, has_secret: bool) {
        let settings = self.settings;
        if settings.client_id.trim().is_empty() {
            self.fault("client_id", "required", "must be the client id that the provider issued");
        }
        if settings.native_client_ids.iter().any(|id| id.trim().is_empty()) {
            self.fault("native_client_ids", "required", "must be client ids that the provider issued");
        }
        match preset.map_or(SecretKind::Optional, |preset| preset.secret) {
            SecretKind::Required if !has_secret => {
                self.fault("client_secret", "required", "must be the client secret that the provider issued");
            }
            SecretKind::PrivateKey => {
                if !has_secret {
                    self.fault("client_secret", "required", "must be the private key that Apple issued (PEM)");
                }
                if settings.team_id.as_deref().is_none_or(|id| id.trim().is_empty()) {
                    self.fault("team_id", "required", "must be the ten-character id of the Apple developer team");
                }
                if settings.key_id.as_deref().is_none_or(|id| id.trim().is_empty()) {
                    self.fault("key_id", "required", "must be the ten-character id of the private key");
                }
            }
            SecretKind::Required | SecretKind::Optional => {}
        }
    }

    fn claims(&mut self) {
        let mut attributes = 0;
        for (field, path) in &self.settings.claims {
            let attribute = field.strip_prefix(ATTRIBUTE_PREFIX);
            attributes += usize::from(attribute.is_some());
            let at = format!("claims.{field}");
            if field == "picture" {
                let message = "is not a field of a user; map it to an attribute: claims.attributes.picture";
                self.fault(at, "unknown_field", message);
            } else if !CLAIM_FIELDS.contains(&field.as_str()) && attribute.is_none_or(str::is_empty) {
                let known = CLAIM_FIELDS.join(", ");
                self.fault(at, "unknown_field", format!("must be one of {known} or attributes.NAME"));
            } else if path.is_empty() || path.len() > TEXT_BYTES_MAX {
                self.fault(at, "invalid_claim", "must be the name of a claim or a JSON Pointer that starts with /");
            }
        }
        if attributes > ATTRIBUTES_MAX {
            self.fault("claims", "too_many", format!("must map at most {ATTRIBUTES_MAX} attributes"));
        }
    }

    fn roles(&mut self) {
        let settings = self.settings;
        for (value, role) in &settings.roles {
            if let Err(broken) = RoleName::parse(role) {
                self.faults.push(broken.at(format!("roles.{value}")));
            }
        }
        if settings.role_claim.is_none() && !settings.roles.is_empty() {
            self.fault("role_claim", "required", "must name the claim that decides the role, because roles are set");
        }
        if settings.role_claim.is_some() && settings.roles.is_empty() {
            self.fault("roles", "required", "must name the role for at least one value of role_claim");
        }
    }

    fn lists(&mut self) {
        let settings = self.settings;
        for domain in &settings.allowed_domains {
            if EmailDomain::parse(domain).is_none() {
                self.fault("allowed_domains", "invalid_domain", "must be domains such as example.com");
                break;
            }
        }
        if !settings.native_redirect_urls.iter().all(|url| Redirects::parse(url).is_some()) {
            let message = "must be URLs such as com.example.app:/callback, without user, query and fragment";
            self.fault("native_redirect_urls", "invalid_url", message);
        }
        // RFC 6749 §3.3.
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        if !settings.scopes.iter().all(is_scope) {
            self.fault("scopes", "invalid_scope", "must be printable ASCII without spaces, quotes and backslashes");
        }
        for name in settings.authorization_params.keys() {
            if name.is_empty() || RESERVED_PARAMS.contains(&name.as_str()) {
                let at = format!("authorization_params.{name}");
                self.fault(at, "reserved_parameter", "must not be a parameter that Denizen sets itself");
            }
        }
    }
}
