//! Known providers, as data: one file each, parsed when a provider first uses it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use denizen_domain::providers::EmailTrust;
use serde::Deserialize;

/// The defaults for a provider. Its settings take precedence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preset {
    /// The text of the sign-in button.
    pub(super) label: String,
    /// The name of the icon.
    pub(super) icon: String,
    /// The protocol that the provider speaks.
    pub(super) protocol: Protocol,
    /// The issuer identifier. `{tenantid}` stands for the claim `tid` of the ID token.
    pub(super) issuer: Option<String>,
    /// Other values of `iss` that mean the same issuer.
    #[serde(default)]
    pub(super) issuer_aliases: Vec<String>,
    /// An issuer as operators have to give it, if it differs between them.
    pub(super) issuer_example: Option<String>,
    /// The authorization endpoint, if it is not discovered.
    pub(super) authorization_url: Option<String>,
    /// The token endpoint, if it is not discovered.
    pub(super) token_url: Option<String>,
    /// The endpoint that describes the user, if it is not discovered.
    pub(super) userinfo_url: Option<String>,
    /// The JWK Set, if it is not discovered.
    pub(super) jwks_url: Option<String>,
    /// The scopes to request.
    pub(super) scopes: Vec<String>,
    /// How the client authenticates to the token endpoint; as the metadata says if absent.
    pub(super) client_auth: Option<ClientAuth>,
    /// What the client secret is.
    pub(super) secret: SecretKind,
    /// Whether PKCE parameters are sent.
    #[serde(default = "yes")]
    pub(super) pkce: bool,
    /// When an address counts as verified.
    pub(super) email_trust: EmailTrust,
    /// A further condition for that.
    pub(super) email_rule: Option<EmailRule>,
    /// The list of the user's addresses, at `{userinfo_url}/emails`.
    pub(super) emails: Option<EmailList>,
    /// Whether claims that the ID token lacks are fetched from the userinfo endpoint.
    #[serde(default = "yes")]
    pub(super) fetch_userinfo: bool,
    /// Where the token response describes the user, if there is no endpoint for that: a JSON Pointer.
    pub(super) profile_in_token_response: Option<String>,
    /// Whether the token endpoint expects JSON instead of a form.
    #[serde(default)]
    pub(super) token_request_json: bool,
    /// Claims that identify the user together, joined by colons.
    #[serde(default)]
    pub(super) subject_parts: Vec<String>,
    /// Claims by the field that they fill.
    #[serde(default)]
    pub(super) claims: BTreeMap<String, String>,
    /// Further parameters of the authorization request.
    #[serde(default)]
    pub(super) authorization_params: BTreeMap<String, String>,
    /// Further header fields of the token request.
    #[serde(default)]
    pub(super) token_headers: BTreeMap<String, String>,
    /// Further header fields of the request for the user's description.
    #[serde(default)]
    pub(super) userinfo_headers: BTreeMap<String, String>,
}

/// The protocol that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocol {
    /// OpenID Connect: an ID token authenticates the user.
    OpenidConnect,
    /// OAuth 2.0: an API describes the user.
    Oauth2,
}

/// How the client authenticates to the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientAuth {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
}

/// What the client secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SecretKind {
    /// A secret, which the provider always issues.
    Required,
    /// A secret, unless the client is public.
    Optional,
    /// The private key (PEM) that signs a client secret.
    PrivateKey,
}

/// A further condition for a verified address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EmailRule {
    /// Google hosts the mailbox: the claim `hd` is present, or the domain is that of Gmail.
    Google,
}

/// The form of a list of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EmailList {
    /// `[{"email", "primary", "verified"}]`
    Github,
    /// `{"values": [{"email", "is_primary", "is_confirmed"}]}`
    Bitbucket,
}

fn yes() -> bool {
    true
}

struct Entry {
    name: &'static str,
    source: &'static str,
    parsed: OnceLock<Preset>,
}

macro_rules! presets {
    ($($name:literal),*) => {
        [$(Entry {
            name: $name,
            source: include_str!(concat!("presets/", $name, ".toml")),
            parsed: OnceLock::new(),
        }),*]
    };
}

static PRESETS: [Entry; 20] = presets![
    "amazon",
    "apple",
    "auth0",
    "bitbucket",
    "discord",
    "entra",
    "facebook",
    "github",
    "gitlab",
    "google",
    "keycloak",
    "linkedin",
    "microsoft",
    "notion",
    "okta",
    "slack",
    "spotify",
    "twitch",
    "x",
    "zoom"
];

/// The preset of this name.
pub(super) fn find(name: &str) -> Option<&'static Preset> {
    let entry = PRESETS.iter().find(|entry| entry.name == name)?;
    Some(entry.parsed.get_or_init(|| toml::from_str(entry.source).expect("a test parses every preset")))
}

/// The names of all presets, in alphabetical order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|entry| entry.name)
}

/// The name that is probably meant: at most two edits away.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    // The bound before the work: the distance takes time in proportion to the length.
    if name.len() > 32 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let (distance, nearest) = names().map(|known| (edit_distance(&name, known), known)).min()?;
    (distance <= 2 && distance < nearest.len()).then_some(nearest)
}

/// Levenshtein distance, in bytes.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, left) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in to.bytes().enumerate() {
            let substituted = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{Protocol, SecretKind, edit_distance, find, names, nearest};

    #[test]
    fn every_preset_is_complete() {
        for name in names() {
            let preset = find(name).unwrap();
            assert!(!preset.label.is_empty() && !preset.icon.is_empty(), "{name}");
            assert_ne!(preset.issuer.is_some(), preset.issuer_example.is_some(), "{name}");
            if preset.protocol == Protocol::Oauth2 {
                assert!(preset.authorization_url.is_some() && preset.token_url.is_some(), "{name}");
                assert!(preset.userinfo_url.is_some() || preset.profile_in_token_response.is_some(), "{name}");
                assert!(preset.claims.contains_key("subject") || name == "linkedin", "{name}");
            }
            assert_eq!(preset.jwks_url.is_some(), preset.secret == SecretKind::PrivateKey, "{name}");
            let urls = [&preset.authorization_url, &preset.token_url, &preset.userinfo_url, &preset.jwks_url];
            for url in urls.into_iter().flatten().chain(&preset.issuer) {
                assert!(url.starts_with("https://"), "{name}: {url}");
            }
        }
        assert!(names().is_sorted());
    }

    #[test]
    fn a_misspelled_name_has_a_suggestion() {
        assert_eq!((nearest("goggle"), nearest("GitHub")), (Some("google"), Some("github")));
        assert_eq!((nearest("git-lab"), nearest("twitter"), nearest("")), (Some("gitlab"), None, None));
        assert_eq!((edit_distance("kitten", "sitting"), edit_distance("", "abc")), (3, 3));
        assert!(find("goggle").is_none());
    }
}
