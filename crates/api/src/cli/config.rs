//! `denizen config`.

use std::borrow::Cow;

use clap::Subcommand;
use serde::Serialize;

use super::Globals;
use super::failure::Failure;
use super::output::{Output, print, print_json, table};
use crate::config::{ConfigErrors, Loaded, Overrides};
use crate::config_files;

const EXAMPLES: &str = "\
Sources in increasing precedence: built-in default, config/default.toml, config/{APP_ENV}.toml, .env, environment
variables DENIZEN__SECTION__KEY, command-line options. The default of APP_ENV is prod.

Examples:
  denizen config show
  APP_ENV=dev denizen config show --output json
  denizen config check --config-dir /etc/denizen";

/// Subcommands of `config`.
#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints every setting with its value and source; secrets are redacted.
    #[command(after_help = EXAMPLES)]
    Show,
    /// Prints `ok`, or every error with its key, source and expected value. Also reports unusable files and settings
    /// that are valid but probably unintended. Does not open any connection.
    #[command(after_help = EXAMPLES)]
    Check,
}

#[derive(Serialize)]
struct EntryBody {
    key: Cow<'static, str>,
    value: String,
    source: String,
}

pub(super) async fn run(globals: &Globals, command: &ConfigCommand) -> Result<(), Failure> {
    let loaded = globals.load(Overrides::default())?;
    match command {
        ConfigCommand::Show => show(&loaded, globals.output),
        ConfigCommand::Check => check(&loaded).await,
    }
}

async fn check(loaded: &Loaded) -> Result<(), Failure> {
    let mut findings = loaded.review();
    findings.extend(config_files::check(loaded).await);
    match ConfigErrors::of(findings) {
        None => print("ok\n"),
        Some(errors) => Err(Failure::Config(errors)),
    }
}

fn show(loaded: &Loaded, output: Output) -> Result<(), Failure> {
    let app_env = (Cow::Borrowed("APP_ENV"), loaded.app_env.name.clone(), loaded.app_env.source.to_string());
    let keys =
        loaded.entries.iter().map(|entry| (entry.key.clone(), entry.shown_value.clone(), entry.source.to_string()));
    let entries = std::iter::once(app_env).chain(keys);
    match output {
        Output::Json => {
            print_json(&entries.map(|(key, value, source)| EntryBody { key, value, source }).collect::<Vec<_>>())
        }
        Output::Text => {
            let head = ["KEY", "VALUE", "SOURCE"].map(str::to_owned);
            let or_none = |value: String| if value.is_empty() { "(none)".to_owned() } else { value };
            let rows = entries.map(|(key, value, source)| [key.into_owned(), or_none(value), source]);
            print(&table(std::iter::once(head).chain(rows)))
        }
    }
}
