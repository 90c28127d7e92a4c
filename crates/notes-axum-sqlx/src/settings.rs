//! The configuration of the service: environment variables.

use anyhow::Context;

/// All settings. Without `Debug`, because of the API key.
pub struct Settings {
    /// `NOTES_ADDRESS`: where to listen; `127.0.0.1:3000` by default.
    pub address: String,
    /// `NOTES_DATABASE_URL`: a SQLite database; `sqlite://notes.db` by default.
    pub database_url: String,
    /// `DENIZEN_ISSUER`: the issuer of the tokens.
    pub issuer: String,
    /// `DENIZEN_AUDIENCE`: their audience; `denizen` by default.
    pub audience: String,
    /// `DENIZEN_API_KEY`: an API key of a service account, for the revocation feed.
    pub api_key: String,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let required = |name: &str| variable(name).with_context(|| format!("{name} is not set"));
        let or = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        Ok(Self {
            address: or("NOTES_ADDRESS", "127.0.0.1:3000"),
            database_url: or("NOTES_DATABASE_URL", "sqlite://notes.db"),
            issuer: required("DENIZEN_ISSUER")?,
            audience: or("DENIZEN_AUDIENCE", "denizen"),
            api_key: required("DENIZEN_API_KEY")?,
        })
    }
}
