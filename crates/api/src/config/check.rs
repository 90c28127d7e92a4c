//! Checks across keys, and checks for values that are too weak outside development.

use std::collections::BTreeSet;

use denizen_domain::error::FieldError;
use denizen_domain::keys::Algorithm;
use denizen_domain::tokens::CLAIMS_MAX;
use denizen_infra::federation;
use denizen_infra::master_key::{self, MasterKey};
use denizen_infra::stores::{DatabaseUrlError, PoolerMode, Pooling, StoreLimits, StoreOptions};
use secrecy::{ExposeSecret, SecretString};

use super::layers::Layers;
use super::mistake::Mistake;
use super::{AppEnv, Backups, Config, Database, Server, mail};
use crate::attributes_schemas::{self, InvalidSchema};
use crate::relying_party;

/// OWASP's minimum for Argon2id: memory in KiB and passes (with one lane).
const ARGON2_MEMORY_KIB_MIN: u32 = 19_456;
const ARGON2_ITERATIONS_MIN: u32 = 2;
/// Placeholder passwords from examples.
const PLACEHOLDERS: &[&str] = &[
    "changeme",
    "changeit",
    "change-me",
    "change_me",
    "password",
    "<password>",
    "your-password",
    "your_password",
    "yourpassword",
    "my-password",
    "mypassword",
    "secret",
    "placeholder",
    "example",
    "replace-me",
    "replaceme",
    "todo",
];
/// Placeholders inside a longer secret. Random letters never spell one.
const PLACEHOLDER_PARTS: &[&str] = &["changeme", "change-me", "change_me", "password", "replace-me", "placeholder"];

/// Records violations.
pub(super) fn check(config: &Config, app_env: &AppEnv, layers: &mut Layers) {
    check_order(config, layers);
    check_secrets(config, layers);
    mail::check(config, layers);
    check_tls(&config.server, layers);
    check_providers(config, layers);
    check_relying_party(config, layers);
    check_database_url(&config.database, layers);
    check_schemas(config, layers);
    check_claims(config, layers);
    check_backups(&config.backups, layers);
    if !app_env.is_dev() {
        check_strength(config, app_env, layers);
    }
}

fn check_providers(config: &Config, layers: &mut Layers) {
    for provider in &config.providers {
        let has_secret = provider.client_secret.is_some() || provider.client_secret_file.is_some();
        let checked = federation::check(&provider.settings, has_secret, &config.sign_in.provider_allowed_hosts);
        for FieldError { field, message, .. } in checked.err().unwrap_or_default() {
            let key = format!("providers.{}.{field}", provider.name);
            let source = layers.source_of(&key);
            layers.mistakes.push(Mistake::new(format!("{key} from {source} {message}")));
        }
    }
}

fn check_order(config: &Config, layers: &mut Layers) {
    let Config { database, security, sessions, .. } = config;
    let mut at_most = |key: &str, value: u32, limit_key: &str, limit: u32| {
        if value > limit {
            let expected = format!("at most {limit_key}, which is {limit}");
            layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), &value.to_string(), &expected));
        }
    };
    let max_connections = database.max_connections;
    at_most("database.min_connections", database.min_connections, "database.max_connections", max_connections);
    at_most("sessions.access_ttl_s", sessions.access_ttl_s, "sessions.absolute_ttl_s", sessions.absolute_ttl_s);
    at_most("sessions.idle_ttl_s", sessions.idle_ttl_s, "sessions.absolute_ttl_s", sessions.absolute_ttl_s);
    let lanes_max = security.argon2_memory_kib / 8;
    at_most(
        "security.argon2_parallelism",
        security.argon2_parallelism,
        "an eighth of security.argon2_memory_kib",
        lanes_max,
    );
}

/// One source for the master key, and a secret where the algorithm needs one.
fn check_secrets(config: &Config, layers: &mut Layers) {
    let Config { security, tokens, .. } = config;
    if security.master_key.is_some() && security.master_key_command.is_some() {
        let key = "security.master_key_command";
        let expected = "no value, because security.master_key is set";
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), "also set", expected));
    }
    if config.sign_in.hook_url.is_some() && config.sign_in.hook_secret.is_none() {
        let key = "sign_in.hook_secret";
        let expected = "a secret, because sign_in.hook_url is set";
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), "not set", expected));
    }
    if tokens.algorithm == Algorithm::Hs256 && tokens.hs256_secret.is_none() {
        let key = "tokens.hs256_secret";
        let expected = "a secret, because tokens.algorithm is HS256";
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), "not set", expected));
    }
}

/// Object storage needs an endpoint, a bucket and an access key.
fn check_backups(backups: &Backups, layers: &mut Layers) {
    if backups.s3_endpoint.is_none() {
        if backups.s3_bucket.is_some() {
            let (key, expected) = ("backups.s3_endpoint", "a URL, because backups.s3_bucket is set");
            layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), "not set", expected));
        }
        return;
    }
    for (key, is_set) in [
        ("backups.s3_bucket", backups.s3_bucket.is_some()),
        ("backups.s3_access_key_id", backups.s3_access_key_id.is_some()),
        ("backups.s3_secret_access_key", backups.s3_secret_access_key.is_some()),
    ] {
        if !is_set {
            let expected = "a value, because backups.s3_endpoint is set";
            layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), "not set", expected));
        }
    }
}

/// The origins of passkeys must be secure, and one of them must belong to the relying party.
fn check_relying_party(config: &Config, layers: &mut Layers) {
    if let Err(error) = relying_party::of(config) {
        let key = "webauthn.origins";
        let expected = format!("origins of pages of the relying party ({error})");
        let shown = config.webauthn.origins.join(", ");
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), &shown, &expected));
    }
}

/// A schema is read and compiled.
fn check_schemas(config: &Config, layers: &mut Layers) {
    if let Err(InvalidSchema { key, problem, expected }) = attributes_schemas::of(&config.users) {
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), &problem, &expected));
    }
}

/// Each claim is configured once, and their number is bounded.
fn check_claims(config: &Config, layers: &mut Layers) {
    let key = "tokens.claims";
    let claims = &config.tokens.claims;
    let mut names = BTreeSet::new();
    let problem = if claims.len() > CLAIMS_MAX {
        format!("{} claims", claims.len())
    } else if let Some(twice) = claims.iter().find(|claim| !names.insert(claim.name())) {
        format!("a list with {} twice", twice.name())
    } else {
        return;
    };
    let expected = format!("at most {CLAIMS_MAX} different claims");
    layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), &problem, &expected));
}

/// A certificate requires its key and vice versa; client certificates require both.
fn check_tls(server: &Server, layers: &mut Layers) {
    let mut need = |key: &str, other: &str| {
        let expected = format!("a file, because {other} is set");
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), "not set", &expected));
    };
    match (&server.tls_cert_file, &server.tls_key_file) {
        (None, Some(_)) => need("server.tls_cert_file", "server.tls_key_file"),
        (Some(_), None) => need("server.tls_key_file", "server.tls_cert_file"),
        (None, None) if server.tls_client_ca_file.is_some() => {
            need("server.tls_cert_file", "server.tls_client_ca_file");
        }
        (None, None) | (Some(_), Some(_)) => {}
    }
}

fn check_database_url(database: &Database, layers: &mut Layers) {
    let limits = StoreLimits {
        max_connections: database.max_connections,
        min_connections: database.min_connections,
        acquire_timeout_s: database.acquire_timeout_s,
        statement_timeout_s: database.statement_timeout_s,
    };
    let mut refuse = |key: &str, problem: &str, expected: &str| {
        layers.mistakes.push(Mistake::refused(key, &layers.source_of(key), problem, expected));
    };
    let options = match StoreOptions::parse(&database.url, limits) {
        Ok(options) => options,
        Err(DatabaseUrlError { problem, expected }) => return refuse("database.url", problem, expected),
    };
    if options.sqlite_file().is_some() {
        let why = "because database.url is a SQLite file";
        if database.listen_url.is_some() {
            refuse("database.listen_url", "set", &format!("no value, {why}"));
        }
        if database.pooler_mode == PoolerMode::Transaction {
            refuse("database.pooler_mode", "transaction", &format!("session, {why}"));
        }
    }
    let listen_url = database.listen_url.clone().map(SecretString::from);
    let pooling = Pooling { mode: database.pooler_mode, prepared_statements: true, listen_url };
    if let Err(DatabaseUrlError { problem, expected }) = options.pooled(pooling) {
        refuse("database.listen_url", problem, expected);
    }
}

/// Whether a password is a placeholder from an example.
pub(super) fn is_placeholder(password: &str) -> bool {
    let password = password.to_ascii_lowercase();
    let is_one_letter = !password.is_empty() && password.chars().all(|c| c == 'x' || c == '*');
    // What a shell or a template did not replace.
    let is_variable = password.starts_with("${") || password.starts_with("{{") || password.starts_with("$(");
    PLACEHOLDERS.contains(&password.as_str()) || is_one_letter || is_variable
}

/// Whether a secret is not random: few different characters, or a placeholder.
fn is_thought_up(secret: &str) -> bool {
    let different = secret.bytes().collect::<std::collections::BTreeSet<u8>>().len();
    let secret = secret.to_ascii_lowercase();
    different < 12 || PLACEHOLDER_PARTS.iter().any(|placeholder| secret.contains(placeholder))
}

fn check_strength(config: &Config, app_env: &AppEnv, layers: &mut Layers) {
    let Config { database, security, .. } = config;
    let mut refuse = |key: &str, why: &str, expected: &str| {
        let source = layers.source_of(key);
        let expected = format!("{expected} (APP_ENV is {}; only dev allows weak values)", app_env.name);
        layers.mistakes.push(Mistake::refused(key, &source, why, &expected));
    };
    let key = security.master_key.as_ref().and_then(MasterKey::parse);
    if key.is_some_and(|key| key.is_weak()) {
        refuse("security.master_key", "weak", master_key::EXPECTED);
    }
    let urls = [("database.url", Some(&database.url)), ("database.listen_url", database.listen_url.as_ref())];
    for (key, url) in urls {
        if url.is_some_and(|url| passwords_of(url).any(is_placeholder)) {
            refuse(key, "weak: the password is a placeholder", "a password that is not a placeholder");
        }
    }
    if config.mail.smtp_password.as_ref().is_some_and(|password| is_placeholder(password.expose_secret())) {
        refuse("mail.smtp_password", "weak: a placeholder", "the password of mail.smtp_user");
    }
    if config.tokens.hs256_secret.as_ref().is_some_and(|secret| is_thought_up(secret.expose_secret())) {
        refuse("tokens.hs256_secret", "weak", "a random secret, for example from `openssl rand -base64 48`");
    }
    let mut at_least = |key: &str, value: u32, minimum: u32| {
        if value < minimum {
            refuse(key, &format!("weak: {value}"), &format!("at least {minimum}, OWASP's minimum for Argon2id"));
        }
    };
    at_least("security.argon2_memory_kib", security.argon2_memory_kib, ARGON2_MEMORY_KIB_MIN);
    at_least("security.argon2_iterations", security.argon2_iterations, ARGON2_ITERATIONS_MIN);
}

/// The password before the host of a URL, and one among its parameters.
fn passwords_of(url: &str) -> impl Iterator<Item = &str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let user_info = rest.rsplit_once('@').map_or("", |(user_info, _)| user_info);
    let before_host = user_info.split_once(':').map(|(_, password)| password);
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    let parameters = parameters.split('&').filter_map(|pair| pair.strip_prefix("password="));
    before_host.into_iter().chain(parameters)
}
