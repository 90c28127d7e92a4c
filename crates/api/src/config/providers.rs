//! The sections `[providers.NAME]`: outside providers that users sign in with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use config::{Value, ValueKind};
use denizen_domain::providers::{EmailTrust, LinkPolicy, ProviderName, ProviderSettings};
use secrecy::SecretString;

use super::mistake::Mistake;
use super::raw::Raw;
use super::{Entry, Source};

/// The name of the section.
pub(super) const SECTION: &str = "providers";
/// How environment variables of providers begin.
pub(super) const ENV_PREFIX: &str = "DENIZEN__PROVIDERS__";

/// A provider of the configuration.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// Unique name.
    pub name: ProviderName,
    /// The settings.
    pub settings: ProviderSettings,
    /// The client secret.
    pub client_secret: Option<SecretString>,
    /// The file that contains the client secret, or the private key.
    pub client_secret_file: Option<PathBuf>,
}

/// A key of a provider.
pub(super) struct ProviderKey {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) expected: &'static str,
    /// An example in TOML.
    pub(super) example: &'static str,
    read: Read,
}

/// How the value of a key is read into the provider.
enum Read {
    Text(fn(&mut ProviderConfig, String)),
    List(fn(&mut ProviderConfig, Vec<String>)),
    Flag(fn(&mut ProviderConfig, bool)),
    Choice(fn(&mut ProviderConfig, &str) -> Option<()>),
    Secret(fn(&mut ProviderConfig, SecretString)),
    /// Keys below this one, each with a text.
    Table(fn(&mut ProviderConfig, String, String)),
}

macro_rules! keys {
    ($($name:literal: $Kind:ident, $expected:literal, $example:literal, $doc:literal, $read:expr;)+) => {
        /// All keys of a provider, in the order of the documents.
        pub(super) const KEYS: &[ProviderKey] = &[$(ProviderKey {
            name: $name,
            doc: $doc,
            expected: $expected,
            example: $example,
            read: Read::$Kind($read),
        }),+];
    };
}

keys! {
    "preset": Text, "the name of a preset", "\"google\"",
        "A preset: google, microsoft, entra, apple, github, gitlab, facebook, linkedin, discord, slack, twitch, spotify, x, \
         bitbucket, amazon, zoom, notion, keycloak, okta or auth0. Without one, set `issuer`, or all three URLs.",
        |config, text| config.settings.preset = Some(text);
    "label": Text, "a text", "\"Google\"", "The text of the sign-in button.",
        |config, text| config.settings.label = Some(text);
    "client_id": Text, "a text", "\"1234.apps.googleusercontent.com\"", "The client id that the provider issued.",
        |config, text| config.settings.client_id = text;
    "client_secret": Secret, "a text", "\"…\"",
        "The client secret. For apple, the private key in PEM. Prefer `client_secret_file`.",
        |config, secret| config.client_secret = Some(secret);
    "client_secret_file": Text, "a file path", "\"/run/secrets/google\"",
        "The file that contains the client secret, or for apple the private key in PEM.",
        |config, text| config.client_secret_file = Some(text.into());
    "native_client_ids": List, "a list of texts", "[\"com.example.app\"]",
        "The client ids of native applications, which are also accepted as the audience of their ID tokens.",
        |config, list| config.settings.native_client_ids = list;
    "native_redirect_urls": List, "a list of URLs", "[\"com.example.app:/oauth2redirect\"]",
        "The redirect URIs of native applications that send authorization codes instead of ID tokens.",
        |config, list| config.settings.native_redirect_urls = list;
    "issuer": Text, "an https URL", "\"https://login.example.com\"",
        "The issuer (OpenID Connect Discovery). Endpoints and keys are discovered from it.",
        |config, text| config.settings.issuer = Some(text);
    "authorization_url": Text, "an https URL", "\"https://login.example.com/authorize\"",
        "The authorization endpoint of a provider without discovery.",
        |config, text| config.settings.authorization_url = Some(text);
    "token_url": Text, "an https URL", "\"https://login.example.com/token\"",
        "The token endpoint of a provider without discovery.",
        |config, text| config.settings.token_url = Some(text);
    "userinfo_url": Text, "an https URL", "\"https://login.example.com/userinfo\"",
        "The endpoint that describes the user, of a provider without ID tokens.",
        |config, text| config.settings.userinfo_url = Some(text);
    "scopes": List, "a list of texts", "[\"openid\", \"email\", \"profile\"]", "The scopes to request.",
        |config, list| config.settings.scopes = list;
    "email_trust": Choice, "never, claim or always", "\"claim\"",
        "When an address of the provider counts as verified: `never`; by its claim (`claim`); or `always`.",
        |config, text| {
            config.settings.email_trust = Some(match text {
                "never" => EmailTrust::Never,
                "claim" => EmailTrust::Claim,
                "always" => EmailTrust::Always,
                _ => return None,
            });
            Some(())
        };
    "link": Choice, "never or verified", "\"never\"",
        "Whether a first sign-in is linked to an existing user of the same address: `never`, or if the address is \
         `verified` on both sides.",
        |config, text| {
            config.settings.link = match text {
                "never" => LinkPolicy::Never,
                "verified" => LinkPolicy::Verified,
                _ => return None,
            };
            Some(())
        };
    "signup": Flag, "true or false", "true",
        "Whether a first sign-in may create a user, as far as signup.mode allows it.",
        |config, flag| config.settings.signup = flag;
    "allowed_domains": List, "a list of domains", "[\"example.com\"]",
        "Only users with a verified address in one of these domains.",
        |config, list| config.settings.allowed_domains = list;
    "trust_mfa": Flag, "true or false", "false",
        "Whether multi-factor authentication that the provider reports (`amr`) satisfies the second factor.",
        |config, flag| config.settings.trust_mfa = flag;
    "update_profile": Flag, "true or false", "false",
        "Whether each sign-in updates name, language, mapped attributes and mapped role.",
        |config, flag| config.settings.update_profile = flag;
    "keep_tokens": Flag, "true or false", "false",
        "Whether the tokens that the provider issues are kept, encrypted, for the backend of the product.",
        |config, flag| config.settings.keep_tokens = flag;
    "claims": Table, "a text for each field", "{ name = \"display_name\", \"attributes.team\" = \"/team/name\" }",
        "Which claim, by name or JSON Pointer, a field is taken from: subject, email, email_verified, name, locale or \
         attributes.NAME, such as attributes.picture.",
        |config, field, claim| drop(config.settings.claims.insert(field, claim));
    "role_claim": Text, "the name of a claim or a JSON Pointer", "\"groups\"", "The claim that decides the role.",
        |config, text| config.settings.role_claim = Some(text);
    "roles": Table, "a role for each value", "{ admins = \"admin\" }", "The role for each value of `role_claim`.",
        |config, value, role| drop(config.settings.roles.insert(value, role));
    "authorization_params": Table, "a text for each parameter", "{ hd = \"example.com\" }",
        "Further parameters of the authorization request.",
        |config, name, value| drop(config.settings.authorization_params.insert(name, value));
    "team_id": Text, "a text", "\"ABCDE12345\"", "The team id, for apple.",
        |config, text| config.settings.team_id = Some(text);
    "key_id": Text, "a text", "\"ABC123DEFG\"", "The id of the private key, for apple.",
        |config, text| config.settings.key_id = Some(text);
}

/// The values of all providers from all layers. A later layer replaces single keys.
#[derive(Default)]
pub(super) struct ProviderLayers(BTreeMap<String, BTreeMap<String, (Raw, Source)>>);

impl ProviderLayers {
    /// Adds the section of a file.
    pub(super) fn add_section(&mut self, section: Value, source: &Source, mistakes: &mut Vec<Mistake>) {
        let ValueKind::Table(providers) = section.kind else {
            let found = Raw::from(section.kind).kind();
            mistakes.push(Mistake::refused(SECTION, source, found, "sections such as [providers.google]"));
            return;
        };
        for (name, value) in providers {
            let ValueKind::Table(keys) = value.kind else {
                let found = Raw::from(value.kind).kind();
                let key = format!("{SECTION}.{name}");
                mistakes.push(Mistake::refused(&key, source, found, &format!("a section, [{key}]")));
                continue;
            };
            self.0.entry(name.clone()).or_default();
            for (key, value) in keys {
                self.add_value(&name, key, value, source);
            }
        }
    }

    /// Adds a variable: `GOOGLE__CLIENT_ID`, `MY_PROVIDER__CLAIMS__NAME`. An underscore stands for a hyphen in the name.
    pub(super) fn add_variable(&mut self, rest: &str, raw: Raw, source: Source) {
        let (name, key) = rest.split_once("__").unwrap_or((rest, ""));
        let name = name.to_ascii_lowercase().replace('_', "-");
        let key = key.to_ascii_lowercase().replace("__", ".");
        self.0.entry(name).or_default().insert(key, (raw, source));
    }

    /// Adds a key of the command line: `google.client_id`.
    pub(super) fn add_key(&mut self, rest: &str, raw: Raw, source: Source) {
        let (name, key) = rest.split_once('.').unwrap_or((rest, ""));
        self.0.entry(name.to_owned()).or_default().insert(key.to_owned(), (raw, source));
    }

    fn add_value(&mut self, name: &str, key: String, value: Value, source: &Source) {
        let is_table = KEYS.iter().any(|known| known.name == key && matches!(known.read, Read::Table(_)));
        match value.kind {
            ValueKind::Table(inner) if is_table => flatten(&key, inner, &mut |key, raw| {
                self.0.entry(name.to_owned()).or_default().insert(key, (raw, source.clone()));
            }),
            kind => drop(self.0.entry(name.to_owned()).or_default().insert(key, (Raw::from(kind), source.clone()))),
        }
    }

    /// Reads every provider, and records every error.
    pub(super) fn read(self, entries: &mut Vec<Entry>, mistakes: &mut Vec<Mistake>) -> Vec<ProviderConfig> {
        self.0.into_iter().filter_map(|(name, values)| read(&name, values, entries, mistakes)).collect()
    }
}

/// TOML reads `attributes.team = "x"` as a table within the table.
fn flatten(path: &str, table: config::Map<String, Value>, add: &mut impl FnMut(String, Raw)) {
    for (name, value) in table {
        let key = format!("{path}.{name}");
        match value.kind {
            ValueKind::Table(inner) => flatten(&key, inner, add),
            kind => add(key, Raw::from(kind)),
        }
    }
}

fn read(
    name: &str,
    values: BTreeMap<String, (Raw, Source)>,
    entries: &mut Vec<Entry>,
    mistakes: &mut Vec<Mistake>,
) -> Option<ProviderConfig> {
    let before = mistakes.len();
    let path = format!("{SECTION}.{name}");
    let any_source = values.values().next().map_or(Source::BuiltIn, |(_, source)| source.clone());
    let parsed = match ProviderName::parse(name) {
        Ok(parsed) => parsed,
        Err(rule) => {
            mistakes.push(Mistake::refused(
                &path,
                &any_source,
                "not a valid name",
                &format!("a name that {}", rule.message),
            ));
            return None;
        }
    };
    let mut config = ProviderConfig {
        name: parsed,
        settings: ProviderSettings::default(),
        client_secret: None,
        client_secret_file: None,
    };
    for (key, (raw, source)) in values {
        let full = format!("{path}.{key}");
        let (head, rest) = key.split_once('.').unwrap_or((&key, ""));
        let Some(known) = KEYS.iter().find(|known| known.name == head && known.takes(rest)) else {
            mistakes.push(Mistake::new(format!("{full} from {source} is not a known key; expected {}", names())));
            continue;
        };
        let is_secret = matches!(known.read, Read::Secret(_));
        if known.apply(&mut config, rest, &raw).is_none() {
            mistakes.push(Mistake::malformed(&full, &source, (!is_secret).then_some(&raw), known.expected));
        }
        let shown_value = if is_secret { "[redacted]".to_owned() } else { raw.shown() };
        entries.push(Entry { key: full.into(), shown_value, source });
    }
    if mistakes.len() > before {
        return None;
    }
    Some(config)
}

fn names() -> String {
    let names: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    format!("one of {}", names.into_iter().collect::<Vec<_>>().join(", "))
}

impl ProviderKey {
    /// Whether the key may be followed by this name.
    const fn takes(&self, rest: &str) -> bool {
        matches!(self.read, Read::Table(_)) != rest.is_empty()
    }

    fn apply(&self, config: &mut ProviderConfig, rest: &str, raw: &Raw) -> Option<()> {
        let text = || raw.text().filter(|text| !text.is_empty());
        match &self.read {
            Read::Text(set) => set(config, text()?.to_owned()),
            Read::Secret(set) => set(config, text()?.to_owned().into()),
            Read::Table(set) => set(config, rest.to_owned(), text()?.to_owned()),
            Read::Choice(set) => set(config, text()?)?,
            Read::Flag(set) => set(
                config,
                match raw {
                    Raw::Bool(flag) => *flag,
                    Raw::Untyped(text) => text.parse().ok()?,
                    _ => return None,
                },
            ),
            Read::List(set) => set(
                config,
                match raw {
                    Raw::List(items) => items.clone(),
                    Raw::Untyped(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
                    _ => return None,
                },
            ),
        }
        Some(())
    }
}
