//! Configuration in layers, where a later one wins: built-in defaults → `config/default.toml` →
//! `config/{APP_ENV}.toml` → `.env` → environment `DENIZEN__SECTION__KEY` → flags.
//!
//! Reading order: `table` (every key, once) → `rule` (what a value may be) → `layers` (where values
//! come from) → `check` (what must hold between them) → `review` (what lets the server start, and is probably a mistake).
//!
//! Invariants:
//! - The table is the only list of keys. The struct, the defaults, the messages, `config/default.toml` and
//!   `.env.example` are made from it.
//! - Every value remembers its source. Every mistake is one line that names key, source and expectation.
//! - The value of a secret is never printed, be it right, wrong or under a mistyped key.
//! - Nothing is written to the environment of the process.

mod check;
mod document;
mod layers;
mod mail;
mod mistake;
mod net;
mod raw;
mod review;
mod rule;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub use document::{default_toml, env_example};
pub use mistake::{ConfigErrors, Mistake};
pub use net::{IpNet, NotANetwork};
pub use rule::LogFormat;
pub use table::{
    Audit, Config, Database, Events, Limits, Mail, Security, Server, Sessions, SignIn, Signup, Telemetry, Tokens,
    Webhooks,
};

/// What every environment variable of ours begins with.
const ENV_PREFIX: &str = "DENIZEN__";

impl Config {
    /// Reads every layer around this process and merges them, for an application that embeds Denizen.
    ///
    /// `APP_ENV` may be the application's own then: a value without an overlay is accepted, with the strict rules of
    /// `prod`. [`Config::from_sources`] refuses it, as the binary does.
    ///
    /// # Errors
    /// Every mistake in every layer, one line each.
    pub fn load(flags: &Overrides) -> Result<Loaded, ConfigErrors> {
        Self::merge(&Sources::of_process(None), UnknownAppEnv::Accept, flags)
    }

    /// Reads the given layers and merges them; touches nothing of the process.
    ///
    /// # Errors
    /// Every mistake in every layer, one line each.
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
            Some(config) if layers.mistakes.is_empty() => Ok(Loaded { config, entries: layers.entries, app_env }),
            _ => Err(ConfigErrors::new(layers.mistakes)),
        }
    }
}

impl Server {
    /// The address at which clients reach the server, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> String {
        let scheme = if self.tls_cert_file.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| match self.host {
            std::net::IpAddr::V4(host) => format!("{scheme}://{host}:{}", self.port),
            std::net::IpAddr::V6(host) => format!("{scheme}://[{host}]:{}", self.port),
        })
    }
}

/// The merged configuration, and where each value comes from.
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every key in the order of the table, with its value as it may be shown.
    pub entries: Vec<Entry>,
    /// Which environment was configured for.
    pub app_env: AppEnv,
}

impl Loaded {
    /// Where the value of a key comes from.
    fn source_of(&self, key: &str) -> Source {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map_or(Source::BuiltIn, |entry| entry.source.clone())
    }

    /// A line about the value of a key: what it is, and what is expected.
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
    /// The key, `server.port` for example.
    pub key: &'static str,
    /// The value; `[redacted]` in place of a secret, empty when there is none.
    pub shown_value: String,
    /// Where the value comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The table of keys itself.
    BuiltIn,
    /// A TOML file.
    File(String),
    /// The file `.env` in the working directory.
    DotEnv,
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in default"),
            Self::File(path) => f.write_str(path),
            Self::DotEnv => f.write_str(".env"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// Which environment the server runs in, from `APP_ENV`: the strict `prod` unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppEnv {
    /// Its name, also that of the overlay `config/{name}.toml`.
    pub name: String,
    /// Where the name comes from.
    pub source: Source,
}

impl AppEnv {
    /// Whether weak secrets are let pass.
    #[must_use]
    pub fn is_dev(&self) -> bool {
        self.name == "dev"
    }
}

/// Values from the command line; the last layer.
#[derive(Debug, Clone, Default)]
pub struct Overrides(pub Vec<(String, String, String)>);

impl Overrides {
    /// Adds a value for a key, and the flag it was given by.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>, flag: impl Into<String>) {
        self.0.push((key.into(), value.into(), flag.into()));
    }
}

/// What to do with an `APP_ENV` that has no overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnknownAppEnv {
    /// Refuse it: it is probably mistyped.
    Refuse,
    /// Accept it, with the strict rules of `prod`: the variable is the application's, not ours.
    Accept,
}

/// Where the layers are looked for.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The directory that holds `.env` and `config/`.
    pub dir: PathBuf,
    /// The directory of the TOML files when it is not `config`; it must exist.
    pub config_dir: Option<PathBuf>,
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
        Self { dir: PathBuf::from("."), config_dir, env }
    }
}

/// The environment variable for a key.
fn env_name(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}
