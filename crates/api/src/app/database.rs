//! The configured database.

use anyhow::Context;
use denizen_infra::stores::{Pooling, StoreLimits, StoreOptions};
use secrecy::SecretString;

use crate::config::Config;

/// Which database the configuration names.
///
/// # Errors
/// When the URL is of no known kind.
pub fn store_options(config: &Config) -> anyhow::Result<StoreOptions> {
    let database = &config.database;
    let limits = StoreLimits {
        max_connections: database.max_connections,
        min_connections: database.min_connections,
        acquire_timeout_s: database.acquire_timeout_s,
        statement_timeout_s: database.statement_timeout_s,
    };
    let pooling = Pooling {
        mode: database.pooler_mode,
        prepared_statements: database.prepared_statements,
        listen_url: database.listen_url.clone().map(SecretString::from),
    };
    StoreOptions::parse(&database.url, limits).context("database.url")?.pooled(pooling).context("database.listen_url")
}
