//! The configuration: defaults, then `config.toml` if it exists, then environment variables. `main` reads `.env` into the
//! environment first.

use std::net::SocketAddr;

use anyhow::Context;
use config::{Config, Environment, File};
use secrecy::SecretString;
use serde::Deserialize;

/// The settings, by the names of their environment variables.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// `ADDRESS`: where to listen.
    pub address: SocketAddr,
    /// `DATABASE_URL`. May contain a password.
    pub database_url: SecretString,
    /// `DATABASE_CONNECTIONS_MAX`.
    pub database_connections_max: u32,
    /// `DENIZEN_ISSUER`: the issuer of the access tokens.
    pub denizen_issuer: String,
    /// `DENIZEN_AUDIENCE`: their audience.
    pub denizen_audience: String,
    /// `DENIZEN_API_KEY`: an API key of a service account, for the revocation feed.
    pub denizen_api_key: SecretString,
    /// `LOG_FILTER`: which log lines are written, such as `info,api=debug`.
    pub log_filter: String,
}

impl Settings {
    /// Reads the settings of this process.
    pub fn read() -> anyhow::Result<Self> {
        Self::from_sources(File::with_name("config.toml").required(false), Environment::default())
    }

    fn from_sources(
        file: File<config::FileSourceFile, config::FileFormat>,
        environment: Environment,
    ) -> anyhow::Result<Self> {
        Config::builder()
            .set_default("address", "127.0.0.1:3000")?
            .set_default("database_connections_max", 8)?
            .set_default("denizen_audience", "denizen")?
            .set_default("log_filter", "info")?
            .add_source(file)
            .add_source(environment.try_parsing(true).ignore_empty(true))
            .build()
            .and_then(Config::try_deserialize)
            .context("reading the configuration")
    }
}

#[cfg(test)]
mod tests {
    use config::{Environment, File, FileFormat};
    use secrecy::ExposeSecret;

    use super::Settings;

    const COMPLETE: [(&str, &str); 3] =
        [("DATABASE_URL", "db://"), ("DENIZEN_ISSUER", "http://localhost:8080"), ("DENIZEN_API_KEY", "dnk_1")];

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = File::new("a-file-that-does-not-exist", FileFormat::Toml).required(false);
        Settings::from_sources(file, Environment::default().source(Some(variables)))
    }

    #[test]
    fn variables_override_defaults() {
        let settings = read(&[&COMPLETE[..], &[("ADDRESS", "0.0.0.0:80"), ("LOG_FILTER", "")]].concat()).unwrap();
        assert_eq!((settings.address.to_string().as_str(), settings.log_filter.as_str()), ("0.0.0.0:80", "info"));
        assert_eq!((settings.denizen_audience.as_str(), settings.database_connections_max), ("denizen", 8));
        assert_eq!(settings.denizen_api_key.expose_secret(), "dnk_1");
    }

    #[test]
    fn what_is_missing_or_invalid_is_named() {
        for (variables, named) in [
            (&COMPLETE[1..], "database_url"),
            (&COMPLETE[..2], "denizen_api_key"),
            (&[&COMPLETE[..], &[("ADDRESS", "nowhere")]].concat(), "address"),
        ] {
            let error = format!("{:#}", read(variables).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!("{:?}", read(&COMPLETE).unwrap());
        assert!(!printed.contains("dnk_1") && !printed.contains("db://"), "{printed}");
    }
}
