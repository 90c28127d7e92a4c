//! Rules for values: how they are parsed, what is expected, and how they are printed.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use denizen_domain::providers::Redirects;
use denizen_domain::users::{DisplayName, Locale};
use denizen_infra::mail::Sender;
use denizen_infra::master_key::{self, MasterKey};
use denizen_infra::outside::{SigningSecret, parse_host};
use denizen_infra::stores::PoolerMode;
use http::Uri;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::net::IpNet;
use super::origin;
use super::raw::Raw;

/// The maximum length of a text value, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;
/// The maximum number of list items.
const ITEMS_MAX: usize = 256;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}

/// A rule for a value.
pub(super) struct Rule<T> {
    /// What is expected, as a phrase that follows "expected".
    pub(super) expected: String,
    read: Read<T>,
    form: Form,
    secrecy: Secrecy,
}

/// Reads a value that is what the rule expects.
type Read<T> = Box<dyn Fn(&Raw) -> Option<T>>;

/// How a value is written in TOML.
#[derive(Clone, Copy)]
enum Form {
    Bare,
    Quoted,
    List,
}

/// How much of a value may be printed.
#[derive(Clone, Copy, PartialEq)]
enum Secrecy {
    Open,
    /// Everything except a password inside the URL.
    Url,
    /// Nothing.
    Secret,
}

impl<T: 'static> Rule<T> {
    fn new(form: Form, expected: impl Into<String>, read: impl Fn(&Raw) -> Option<T> + 'static) -> Self {
        Self { expected: expected.into(), read: Box::new(read), form, secrecy: Secrecy::Open }
    }

    /// A rule for a value that is one text.
    pub(in crate::config) fn of_text(expected: impl Into<String>, read: impl Fn(&str) -> Option<T> + 'static) -> Self {
        Self::new(Form::Quoted, expected, move |raw| {
            raw.text().filter(|text| text.len() <= TEXT_BYTES_MAX).and_then(&read)
        })
    }

    /// A rule for a list of texts, which are separated by commas in the environment.
    pub(in crate::config) fn of_list<I: 'static>(expected: &str, read: impl Fn(&str) -> Option<I> + 'static) -> Self
    where
        T: FromIterator<I>,
    {
        Self::new(Form::List, expected, move |raw| {
            let items: Vec<&str> = match raw {
                Raw::List(items) => items.iter().map(String::as_str).collect(),
                Raw::Untyped(text) if text.trim().is_empty() => Vec::new(),
                Raw::Untyped(text) => text.split(',').map(str::trim).collect(),
                _ => return None,
            };
            (items.len() <= ITEMS_MAX).then(|| items.into_iter().map(&read).collect()).flatten()
        })
    }

    /// The value, if it satisfies the rule.
    pub(super) fn read(&self, raw: &Raw) -> Option<T> {
        (self.read)(raw)
    }

    /// The printable value.
    pub(super) fn shown(&self, raw: &Raw) -> String {
        match self.secrecy {
            Secrecy::Open => raw.shown(),
            Secrecy::Url => redact_url(&raw.shown()),
            Secrecy::Secret if raw.is_empty() => String::new(),
            Secrecy::Secret => "[redacted]".to_owned(),
        }
    }

    /// Whether a message may quote an invalid value.
    pub(super) fn may_quote(&self) -> bool {
        self.secrecy == Secrecy::Open
    }

    /// How a value must be written to be accepted, as a phrase that follows the expectation; empty if the form is not
    /// the problem.
    pub(super) fn form_hint(&self, raw: &Raw) -> &'static str {
        let would_pass = |text: String| self.read(&Raw::Untyped(text)).is_some();
        match (raw, self.form) {
            (Raw::String(text), Form::Bare) if would_pass(text.clone()) => ", without quotes",
            (Raw::String(text), Form::List) if would_pass(text.clone()) => ", in square brackets",
            (Raw::Integer(_) | Raw::Bool(_), Form::Quoted) if would_pass(raw.shown()) => ", in quotes",
            (Raw::List(items), Form::Bare | Form::Quoted) if items.len() == 1 && would_pass(raw.shown()) => {
                ", without square brackets"
            }
            _ => "",
        }
    }

    /// A default as it is written in TOML.
    pub(super) fn toml(&self, text: &str) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        match self.form {
            Form::Bare => text.to_owned(),
            Form::Quoted => quote(text),
            Form::List if text.is_empty() => "[]".to_owned(),
            Form::List => format!("[{}]", text.split(',').map(quote).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The value, or `None` for an empty text.
pub(super) fn optional<T: 'static>(rule: Rule<T>) -> Rule<Option<T>> {
    let read = rule.read;
    Rule {
        expected: format!("{}, or an empty value", rule.expected),
        read: Box::new(move |raw| if raw.is_empty() { Some(None) } else { read(raw).map(Some) }),
        form: rule.form,
        secrecy: rule.secrecy,
    }
}

/// A whole number within bounds.
pub(super) fn whole<T: TryFrom<u64> + 'static>(bounds: RangeInclusive<u64>) -> Rule<T> {
    let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
    Rule::new(Form::Bare, expected, move |raw| {
        let number = match raw {
            Raw::Integer(number) => u64::try_from(*number).ok()?,
            Raw::Untyped(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            _ => return None,
        };
        bounds.contains(&number).then(|| T::try_from(number).ok()).flatten()
    })
}

/// `true` or `false`.
pub(super) fn flag() -> Rule<bool> {
    Rule::new(Form::Bare, "true or false", |raw| match raw {
        Raw::Bool(flag) => Some(*flag),
        Raw::Untyped(text) => text.parse().ok(),
        _ => None,
    })
}

/// One of several names.
pub(super) fn one_of<T: Copy + 'static>(choices: &'static [(&'static str, T)]) -> Rule<T> {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    Rule::of_text(names.join(" or "), |text| choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value))
}

/// An IP address.
pub(super) fn ip_address() -> Rule<IpAddr> {
    Rule::of_text("an IP address such as 127.0.0.1 or ::1", |text| text.parse().ok())
}

/// A list of networks.
pub(super) fn networks() -> Rule<Vec<IpNet>> {
    Rule::of_list("a list of IP addresses or networks such as 10.0.0.0/8", IpNet::parse)
}

/// A list of web origins (RFC 6454 §6.2), in the form that browsers send.
pub(super) fn origins() -> Rule<Vec<String>> {
    let expected = "a list of origins such as https://app.example.com or capacitor://localhost: scheme, host and port, \
                    without a path. Origins are compared exactly; wildcards are not supported: list every origin";
    Rule::of_list(expected, origin::normalize)
}

/// URLs that a browser may be sent to.
pub(super) fn redirect_urls() -> Rule<Vec<Url>> {
    let expected = "a list of URLs such as https://app.example.com/signed-in or com.example.app://callback, without user, \
                    query and fragment";
    Rule::of_list(expected, Redirects::parse)
}

/// A domain name: the host of an origin.
pub(super) fn domain() -> Rule<String> {
    Rule::of_text("a domain name such as example.com, without scheme and port", parse_domain)
}

/// Domain names.
pub(super) fn domains() -> Rule<Vec<String>> {
    Rule::of_list("a list of domain names such as example.com, without scheme and port", parse_domain)
}

/// An absolute HTTP URL.
pub(super) fn http_url() -> Rule<String> {
    let expected = "an http or https URL without a trailing slash, such as https://accounts.example.com";
    Rule::of_text(expected, |text| parse_http_url(text).map(|_| text.to_owned()))
}

/// The URL of a database.
pub(super) fn database_url() -> Rule<String> {
    let rule = Rule::of_text("sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME", |text: &str| {
        let (scheme, rest) = text.split_once(':')?;
        let is_known = match scheme {
            "sqlite" => !rest.trim_start_matches('/').is_empty(),
            "postgres" | "postgresql" => rest.len() > 2 && rest.starts_with("//"),
            _ => false,
        };
        (is_known && !text.contains(char::is_control)).then(|| text.to_owned())
    });
    Rule { secrecy: Secrecy::Url, ..rule }
}

/// Whether connections to PostgreSQL have sessions for themselves.
pub(super) fn pooler_mode() -> Rule<PoolerMode> {
    one_of(&[("session", PoolerMode::Session), ("transaction", PoolerMode::Transaction)])
}

/// The URL of a PostgreSQL database.
pub(super) fn postgres_url() -> Rule<String> {
    let rule = Rule::of_text("postgres://USER:PASSWORD@HOST/NAME", |text: &str| {
        let is_known = text.starts_with("postgres://") || text.starts_with("postgresql://");
        (is_known && !text.contains(char::is_control)).then(|| text.to_owned())
    });
    Rule { secrecy: Secrecy::Url, ..rule }
}

/// 32 bytes.
pub(super) fn master_key() -> Rule<SecretString> {
    let rule = Rule::of_text(master_key::EXPECTED, |text| {
        let key = SecretString::from(text);
        MasterKey::parse(&key).map(|_| key)
    });
    Rule { secrecy: Secrecy::Secret, ..rule }
}

/// The secret of HS256: as long as its hash at least (RFC 7518 §3.2).
pub(super) fn hs256_secret() -> Rule<SecretString> {
    let expected = "32 to 512 random characters, for example from `openssl rand -base64 48`";
    let rule = Rule::of_text(expected, |text| (32..=512).contains(&text.len()).then(|| SecretString::from(text)));
    Rule { secrecy: Secrecy::Secret, ..rule }
}

/// A shell command. It is not printed, because it may contain secrets.
pub(super) fn command() -> Rule<SecretString> {
    let rule = Rule::of_text("a shell command", |text| {
        (!text.trim().is_empty() && !text.contains('\0')).then(|| SecretString::from(text))
    });
    Rule { secrecy: Secrecy::Secret, ..rule }
}

/// A URL to send requests to. It is not printed, because it may contain secrets.
pub(super) fn secret_url() -> Rule<SecretString> {
    let rule = Rule::of_text("an https URL such as https://old.example.com/sign-in", |text| {
        let uri: Uri = text.parse().ok()?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        (has_scheme && uri.host().is_some_and(|host| !host.is_empty())).then(|| SecretString::from(text))
    });
    Rule { secrecy: Secrecy::Secret, ..rule }
}

/// A secret that signs requests.
pub(super) fn webhook_secret() -> Rule<SecretString> {
    let rule = Rule::of_text("whsec_ followed by 24 to 64 random bytes in base64", |text| {
        let secret = SecretString::from(text);
        SigningSecret::parse(&secret).map(|_| secret).ok()
    });
    Rule { secrecy: Secrecy::Secret, ..rule }
}

/// A list of hosts.
pub(super) fn hosts() -> Rule<Vec<String>> {
    Rule::of_list("a list of host names or IP addresses, without ports, wildcards or networks", parse_host)
}

/// The path of a file.
pub(super) fn path() -> Rule<PathBuf> {
    Rule::of_text("a file path", |text| {
        (!text.is_empty() && !text.contains('\0') && !text.ends_with('/')).then(|| PathBuf::from(text))
    })
}

/// Paths of files and folders.
pub(super) fn paths() -> Rule<Vec<PathBuf>> {
    Rule::of_list("a list of paths", |text| {
        (!text.is_empty() && text != "-" && !text.contains('\0')).then(|| PathBuf::from(text))
    })
}

/// The path of a folder.
pub(super) fn folder_path() -> Rule<PathBuf> {
    Rule::of_text("a folder path", |text| (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text)))
}

/// The sender of mail.
pub(super) fn mailbox() -> Rule<Sender> {
    Rule::of_text("an address, or a name and an address such as Example <no-reply@example.com>", Sender::parse)
}

/// A language.
pub(super) fn locale() -> Rule<Locale> {
    Rule::of_text("a language tag such as de or zh-Hans", |text| Locale::parse(text).ok())
}

/// A password for another service; any value is valid.
pub(super) fn password() -> Rule<SecretString> {
    let rule = Rule::of_text("1 to 512 characters", |text| {
        ((1..=512).contains(&text.chars().count()) && !text.contains(char::is_control))
            .then(|| SecretString::from(text))
    });
    Rule { secrecy: Secrecy::Secret, ..rule }
}

/// A short text of visible characters.
pub(super) fn text() -> Rule<String> {
    Rule::of_text("1 to 255 characters without white space", |text| {
        let is_short = (1..=255).contains(&text.chars().count());
        let shows = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        (is_short && shows).then(|| text.to_owned())
    })
}

/// A display name.
pub(super) fn display_name() -> Rule<String> {
    Rule::of_text("1 to 200 visible characters", |text| {
        let name = DisplayName::parse(text).ok()?;
        Some(name.as_str().to_owned())
    })
}

/// A log filter.
pub(super) fn log_filter() -> Rule<String> {
    Rule::of_text("a level such as info, or levels for modules such as info,denizen=debug", |text| {
        (!text.trim().is_empty() && EnvFilter::builder().parse(text).is_ok()).then(|| text.to_owned())
    })
}

fn parse_domain(text: &str) -> Option<String> {
    let origin = format!("https://{text}");
    (origin::normalize(&origin).as_deref() == Some(origin.as_str()) && !text.contains(':')).then(|| text.to_owned())
}

fn parse_http_url(text: &str) -> Option<Uri> {
    if text.ends_with('/') || text.contains(['?', '#', '@']) {
        return None;
    }
    let uri: Uri = text.parse().ok()?;
    let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    (has_scheme && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// The URL with anything redacted that may be a password; redacts too much rather than too little.
fn redact_url(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let rest = match (rest.find(':'), rest.rfind('@')) {
        (Some(colon), Some(at)) if colon < at => format!("{}:[redacted]{}", &rest[..colon], &rest[at..]),
        _ => rest.to_owned(),
    };
    let Some((before, query)) = rest.split_once('?') else { return format!("{scheme}{rest}") };
    let redact = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=[redacted]"),
        _ => pair.to_owned(),
    };
    let query: Vec<String> = query.split('&').map(redact).collect();
    format!("{scheme}{before}?{}", query.join("&"))
}
