//! `denizen providers`: outside providers.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use denizen_domain::Ctx;
use denizen_domain::providers::manage::{self, ManagedProvider, NewProvider, ProviderChange};
use denizen_domain::providers::{ProviderName, ProviderSettings};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Globals;
use super::confirm::confirm;
use super::failure::{Failure, printable};
use super::operator::{self, Access};
use super::output::{Output, print, print_json, record, table};
use crate::http::providers::{ProviderBody, ProviderTestBody, patched};

/// Subcommands of `providers`.
#[derive(Subcommand)]
#[command(after_help = "\
Providers of the configuration, [providers.NAME], are listed with those of the database and can only be changed there.

Examples:
  denizen providers create google --setting preset=google --setting client_id=1234.apps.googleusercontent.com --secret-file google.secret
  denizen providers test google
  denizen providers update google --setting link=verified --setting allowed_domains=example.com
  denizen providers disable google")]
pub(super) enum ProvidersCommand {
    /// Lists providers, by name.
    #[command(after_help = "Examples:\n  denizen providers list\n  denizen providers list --output json")]
    List,
    /// Prints a provider and its settings. The secret is never printed.
    #[command(after_help = "Examples:\n  denizen providers get google\n  denizen providers get google --output json")]
    Get(Named),
    /// Creates a provider.
    Create(ChangeArgs),
    /// Updates the settings or the secret of a provider.
    Update(ChangeArgs),
    /// Lets users sign in with a provider.
    #[command(after_help = "Example:\n  denizen providers enable google")]
    Enable(Named),
    /// Stops users from signing in with a provider.
    #[command(after_help = "Example:\n  denizen providers disable google")]
    Disable(Named),
    /// Deletes a provider. The identities of users remain.
    #[command(after_help = "Example:\n  denizen providers delete google --yes")]
    Delete(DeleteArgs),
    /// Checks settings, discovery, keys, clock, redirect URI and client secret. Exit code 1 if a check fails.
    #[command(after_help = "Examples:\n  denizen providers test google\n  denizen providers test google --output json")]
    Test(Named),
}

/// The name of a provider.
#[derive(Args)]
pub(super) struct Named {
    /// The name of the provider.
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: ProviderName,
}

/// The settings of a provider.
#[derive(Args)]
#[command(after_help = "\
The settings are those of [providers.NAME] in config/default.toml. A dot leads into a map: claims.name, roles.admins,
authorization_params.hd. Separate the items of a list with commas; an empty value removes a setting.

Examples:
  denizen providers create google --setting preset=google --setting client_id=1234.apps.googleusercontent.com --secret-file google.secret
  denizen providers create acme --setting issuer=https://login.example.com --setting client_id=denizen --secret-file acme.secret
  denizen providers update acme --setting claims.name=display_name --setting role_claim=groups --setting roles.admins=admin")]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    named: Named,
    /// A setting of the provider. Can be repeated.
    #[arg(long = "setting", value_name = "KEY=VALUE", value_parser = parse_setting)]
    changes: Vec<(String, String)>,
    /// The file that contains the client secret; for apple, the private key in PEM. - reads standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// The provider to delete.
#[derive(Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    named: Named,
    /// Skips the confirmation; required without a terminal.
    #[arg(long)]
    yes: bool,
}

fn parse_name(raw: &str) -> Result<ProviderName, String> {
    ProviderName::parse(raw).map_err(|rule| rule.message)
}

fn parse_setting(raw: &str) -> Result<(String, String), String> {
    let (key, value) = raw.split_once('=').ok_or("expected KEY=VALUE, such as preset=google")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl ProvidersCommand {
    /// What it does with the database.
    fn access(&self) -> Access {
        match self {
            Self::List | Self::Get(_) | Self::Test(_) => Access::Read,
            Self::Create(_) => Access::Create,
            Self::Update(_) | Self::Enable(_) | Self::Disable(_) | Self::Delete(_) => Access::Change,
        }
    }
}

pub(super) async fn run(globals: &Globals, command: ProvidersCommand) -> Result<(), Failure> {
    let output = globals.output;
    if let ProvidersCommand::Delete(args) = &command {
        confirm(args.yes, "deleting a provider and its client secret cannot be undone")?;
    }
    let ctx = operator::open(globals, &globals.config()?, command.access()).await?;
    let outcome = match command {
        ProvidersCommand::List => list(&ctx, output).await,
        ProvidersCommand::Get(named) => show(manage::get(&ctx, &named.name).await?, output),
        ProvidersCommand::Create(args) => create(&ctx, args, output).await,
        ProvidersCommand::Update(args) => update(&ctx, args, output).await,
        ProvidersCommand::Enable(named) => switch(&ctx, &named.name, true, output).await,
        ProvidersCommand::Disable(named) => switch(&ctx, &named.name, false, output).await,
        ProvidersCommand::Delete(args) => delete(&ctx, &args.named.name).await,
        ProvidersCommand::Test(named) => test(&ctx, &named.name, output).await,
    };
    ctx.store().close().await;
    outcome
}

async fn list(ctx: &Ctx, output: Output) -> Result<(), Failure> {
    let providers = manage::list(ctx).await?;
    if output == Output::Json {
        return print_json(&providers.into_iter().map(ProviderBody::from).collect::<Vec<_>>());
    }
    let head = ["NAME", "KIND", "ENABLED", "SOURCE"].map(str::to_owned);
    let row = |provider: &ManagedProvider| {
        [provider.name.to_string(), kind(&provider.settings), yes(provider.is_enabled), source(provider).to_owned()]
    };
    print(&table(std::iter::once(head).chain(providers.iter().map(row))))
}

async fn create(ctx: &Ctx, args: ChangeArgs, output: Output) -> Result<(), Failure> {
    let client_secret = secret(args.secret_file).await?;
    let settings = merged(&ProviderSettings::default(), &args.changes)?;
    let new = NewProvider { name: args.named.name, settings, client_secret, is_enabled: true };
    show(manage::create(ctx, new).await?, output)
}

async fn update(ctx: &Ctx, args: ChangeArgs, output: Output) -> Result<(), Failure> {
    let client_secret = secret(args.secret_file).await?.map(Some);
    let before = manage::get(ctx, &args.named.name).await?;
    let settings = Some(merged(&before.settings, &args.changes)?);
    let change = ProviderChange { settings, client_secret, is_enabled: None };
    let version = before.stored.map(|stored| [stored.version]);
    // Fails if another change was made since the settings were read.
    let updated = manage::update(ctx, &args.named.name, change, version.as_ref().map(<[i64; 1]>::as_slice));
    show(updated.await?, output)
}

async fn switch(ctx: &Ctx, name: &ProviderName, is_enabled: bool, output: Output) -> Result<(), Failure> {
    let change = ProviderChange { is_enabled: Some(is_enabled), ..ProviderChange::default() };
    show(manage::update(ctx, name, change, None).await?, output)
}

async fn delete(ctx: &Ctx, name: &ProviderName) -> Result<(), Failure> {
    manage::delete(ctx, name, None).await?;
    print(&format!("deleted the provider {name}\n"))
}

async fn test(ctx: &Ctx, name: &ProviderName, output: Output) -> Result<(), Failure> {
    let findings = manage::test(ctx, name).await?;
    let has_failed = findings.iter().any(|finding| !finding.has_passed);
    if output == Output::Json {
        print_json(&ProviderTestBody::from(findings))?;
    } else {
        let line = |finding: &denizen_domain::providers::Finding| {
            let mark = if finding.has_passed { "ok    " } else { "FAILED" };
            format!("{mark}  {:<12}  {}\n", finding.check, finding.message)
        };
        print(&findings.iter().map(line).collect::<String>())?;
    }
    if has_failed { Err(Failure::Failed(anyhow::anyhow!("the provider {name} failed a check"))) } else { Ok(()) }
}

/// The settings with these changes.
fn merged(settings: &ProviderSettings, changes: &[(String, String)]) -> Result<ProviderSettings, Failure> {
    let mut patch = Map::new();
    for (key, raw) in changes {
        let (head, rest) = key.split_once('.').unwrap_or((key, ""));
        let value = match head {
            _ if raw.is_empty() => Value::Null,
            "scopes" | "allowed_domains" | "native_client_ids" | "native_redirect_urls" => {
                raw.split(',').map(|item| Value::from(item.trim())).collect()
            }
            "signup" | "trust_mfa" | "update_profile" | "keep_tokens" => {
                raw.parse().map_or_else(|_| raw.as_str().into(), Value::Bool)
            }
            _ => raw.as_str().into(),
        };
        if rest.is_empty() {
            patch.insert(head.to_owned(), value);
        } else {
            let inner = patch.entry(head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                inner.insert(rest.to_owned(), value);
            }
        }
    }
    patched(settings, patch).map_err(|problem| {
        let lines: Vec<String> = problem.fields().map(|(field, _, message)| format!("{field}: {message}")).collect();
        Failure::Failed(anyhow::Error::msg(lines.join("; ")))
    })
}

/// The secret in a file, without the line feed at its end.
async fn secret(file: Option<PathBuf>) -> Result<Option<SecretString>, Failure> {
    let Some(path) = file else { return Ok(None) };
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).context("reading the secret from standard input")?
    } else {
        tokio::fs::read_to_string(&path).await.with_context(|| format!("reading {}", path.display()))?
    };
    Ok(Some(text.trim_end().to_owned().into()))
}

fn show(provider: ManagedProvider, output: Output) -> Result<(), Failure> {
    if output == Output::Json {
        return print_json(&ProviderBody::from(provider));
    }
    let head = record([
        ("name", provider.name.to_string()),
        ("kind", kind(&provider.settings)),
        ("secret", yes(provider.has_secret)),
        ("enabled", yes(provider.is_enabled)),
        ("source", source(&provider).to_owned()),
    ]);
    let body = serde_json::to_value(ProviderBody::from(provider)).context("encoding the provider")?;
    let mut lines = Vec::new();
    flatten("", &body["settings"], &mut lines);
    let lines: Vec<String> = lines.iter().map(|line| format!("  {}\n", printable(line))).collect();
    print(&format!("{head}settings\n{}", lines.concat()))
}

/// The settings as `--setting` accepts them, one per line. Empty ones are omitted.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, lines);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            lines.push(format!("{path}={}", items.join(",")));
        }
        Value::String(text) => lines.push(format!("{path}={text}")),
        other => lines.push(format!("{path}={other}")),
    }
}

fn kind(settings: &ProviderSettings) -> String {
    let url = || settings.issuer.clone().or_else(|| settings.authorization_url.clone());
    settings.preset.clone().or_else(url).unwrap_or_default()
}

fn source(provider: &ManagedProvider) -> &'static str {
    if provider.stored.is_some() { "database" } else { "configuration" }
}

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}
