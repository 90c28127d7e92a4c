//! Layered configuration, in increasing precedence: built-in defaults → `config/default.toml` → `config/{APP_ENV}.toml`
//! → `.env` → environment `DENIZEN__SECTION__KEY` → command-line options.
//!
//! Reading order: `table` (all keys) → `rule` (valid values) → `layers` (sources of values) → `check` (constraints
//! across keys) → `review` (valid settings that are probably unintended).
//!
//! Invariants:
//! - The table is the only list of keys. The struct, the defaults, the messages, `config/default.toml` and
//!   `.env.example` are generated from it.
//! - Every value records its source. Every error is one line with key, source and expected value.
//! - The value of a secret is never printed, whether it is valid, invalid or under a mistyped key.
//! - The environment of the process is never modified.

mod check;
mod declare;
mod document;
mod layers;
mod mail;
mod mistake;
mod net;
pub(crate) mod origin;
mod providers;
mod raw;
mod review;
mod rule;
mod schema;
mod table;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub use document::{default_toml, env_example};
pub use mistake::{ConfigErrors, Mistake};
pub use net::{IpNet, NotANetwork};
pub use providers::ProviderConfig;
pub(crate) use review::is_plain_and_remote;
pub use rule::LogFormat;
pub use schema::SchemaSource;
pub use table::{
    Apply, Audit, Backups, Config, Database, Events, Limits, Mail, Security, Server, Sessions, SignIn, Signup,
    Telemetry, Tokens, Users, Webhooks,
};

/// The prefix of all environment variables.
const ENV_PREFIX: &str = "DENIZEN__";

impl Config {
    /// Reads and merges all layers of this process, for an application that embeds Denizen.
    ///
    /// `APP_ENV` may belong to the application: a value without an overlay is accepted, with the strict rules of
    /// `prod`. [`Config::from_sources`] rejects it, as the binary does.
    ///
    /// # Errors
    /// All errors in all layers, one line each.
    pub fn load(flags: &Overrides) -> Result<Loaded, ConfigErrors> {
        Self::merge(&Sources::of_process(None), UnknownAppEnv::Accept, flags)
    }

    /// Reads and merges the given layers, without access to the process environment.
    ///
    /// # Errors
    /// All errors in all layers, one line each.
    pub fn from_sources(sources: &Sources, flags: &Overrides) -> Result<Loaded, ConfigErrors> {
        Self::merge(sources, UnknownAppEnv::Refuse, flags)
    }

    fn merge(sources: &Sources, unknown: UnknownAppEnv, flags: &Overrides) -> Result<Loaded, ConfigErrors> {
        let mut layers = layers::Layers::gather(sources, unknown, flags);
        let mut config = Self::read(&mut layers);
        let app_env = layers.app_env.clone();
        if let Some(config) = &mut config {
            mail::fill_in(config, &mut layers);
            check::check(config, &app_env, &mut layers);
        }
        match config {
            Some(config) if layers.mistakes.is_empty() => {
                Ok(Loaded { config, entries: layers.entries, app_env, ignored: layers.ignored })
            }
            _ => Err(ConfigErrors::new(layers.mistakes)),
        }
    }
}

impl Server {
    /// The URL at which clients reach the server, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> String {
        let scheme = if self.tls_cert_file.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| match self.host {
            std::net::IpAddr::V4(host) => format!("{scheme}://{host}:{}", self.port),
            std::net::IpAddr::V6(host) => format!("{scheme}://[{host}]:{}", self.port),
        })
    }
}

/// The merged configuration, and the source of each value.
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every key in the order of the table, with its printable value.
    pub entries: Vec<Entry>,
    /// The environment.
    pub app_env: AppEnv,
    /// Variables of `.env` that are ignored and look like a key.
    pub(crate) ignored: Vec<Mistake>,
}

impl Loaded {
    /// The source of the value of a key.
    fn source_of(&self, key: &str) -> Source {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map_or(Source::BuiltIn, |entry| entry.source.clone())
    }

    /// A finding about the value of a key, with the expected value.
    pub(crate) fn finding(&self, key: &str, found: &str, expected: &str) -> Mistake {
        Mistake::refused(key, &self.source_of(key), found, expected)
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The entries only: they show no secret.
        f.debug_list().entry(&self.app_env).entries(&self.entries).finish()
    }
}

/// One key of the merged configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, such as `server.port`.
    pub key: Cow<'static, str>,
    /// The value; `[redacted]` for a secret, empty if there is none.
    pub shown_value: String,
    /// The source of the value.
    pub source: Source,
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The built-in defaults.
    BuiltIn,
    /// A TOML file.
    File(String),
    /// The file `.env` in the working directory, or the one that replaces it.
    DotEnv(String),
    /// An environment variable.
    Environment(String),
    /// A command-line option.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in default"),
            Self::File(path) | Self::DotEnv(path) => f.write_str(path),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// The environment that the server runs in, from `APP_ENV`. Default: the strict `prod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppEnv {
    /// The name, which is also that of the overlay `config/{name}.toml`.
    pub name: String,
    /// The source of the name.
    pub source: Source,
}

impl AppEnv {
    /// Whether weak secrets are allowed.
    #[must_use]
    pub fn is_dev(&self) -> bool {
        self.name == "dev"
    }
}

/// Values from the command line; the layer with the highest precedence.
#[derive(Debug, Clone, Default)]
pub struct Overrides(pub Vec<(String, String, String)>);

impl Overrides {
    /// Adds a value for a key, and the option that set it.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>, flag: impl Into<String>) {
        self.0.push((key.into(), value.into(), flag.into()));
    }
}

/// How to handle an `APP_ENV` without an overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnknownAppEnv {
    /// Reject it: it is probably mistyped.
    Refuse,
    /// Accept it, with the strict rules of `prod`: the variable belongs to the application.
    Accept,
}

/// The locations of the layers.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The directory that contains `.env` and `config/`.
    pub dir: PathBuf,
    /// The directory of the TOML files if it is not `config`; it must exist.
    pub config_dir: Option<PathBuf>,
    /// The file that is read instead of `.env`; it must exist.
    pub env_file: Option<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
}

impl Sources {
    /// The working directory and the environment of this process.
    #[must_use]
    pub fn of_process(config_dir: Option<PathBuf>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        Self { dir: PathBuf::from("."), config_dir, env_file: None, env }
    }
}

/// The environment variable for a key.
fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}
