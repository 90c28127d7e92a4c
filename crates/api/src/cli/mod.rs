//! The command line: `denizen serve`, and the operations of the REST API for the operator of the machine.
//!
//! Exit codes: 0 success, 1 failure, 2 invalid usage or configuration. Results go to standard output, everything else
//! to standard error: the name of the database, unless `--quiet` is given, and an error as one line.

mod api_keys;
mod apply;
mod audit;
mod backup;
mod completions;
mod config;
mod confirm;
mod doctor;
mod events;
mod failure;
mod get;
mod healthcheck;
mod keys;
mod man;
mod master_key;
mod migrate;
mod migrate_store;
mod new;
mod openapi;
mod operator;
mod output;
mod paging;
mod progress;
mod providers;
mod restore;
mod roles;
mod serve;
mod service_accounts;
mod sessions;
pub(crate) mod setup_link;
mod users;
mod wanted;
mod webhooks;
mod whole_file;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{Config, Loaded, Overrides, Sources};
use failure::Failure;
pub(crate) use failure::chain;
use output::{Format, Output};

const EXAMPLES: &str = "\
Examples:
  denizen serve
  denizen serve --port 9000 --database-url postgres://denizen@localhost/denizen
  printf %s \"$PASSWORD\" | denizen users create --email ada@example.com --name Ada --role admin --password-stdin
  denizen users list --role admin --output json
  KEY=$(denizen api-keys create --service-account 019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e --name ci --scope users:read)
  denizen keys rotate
  denizen config show --set limits.body_bytes=65536

Exit codes: 0 success, 1 failure, 2 invalid usage or configuration.";

/// An accounts backend: users, authentication and authorization in one process.
#[derive(Parser)]
#[command(name = "denizen", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// Global options.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The directory of default.toml and the overlays. Default: ./config
    #[arg(long, global = true, value_name = "DIR", env = "DENIZEN_CONFIG_DIR")]
    config_dir: Option<PathBuf>,
    /// A file of environment variables that is read instead of .env, such as the environment of the service. Variables
    /// of this process take precedence.
    #[arg(long, global = true, value_name = "FILE", env = "DENIZEN_ENV_FILE")]
    env_file: Option<PathBuf>,
    /// Does not name the database on standard error.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// The output format. yaml is for `denizen get`, which prints it by default.
    #[arg(id = "output", long, short = 'o', global = true, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The format for all commands but `get`.
    #[arg(skip = Output::Text)]
    output: Output,
    /// Sets a configuration key, with the highest precedence. Can be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::ServeArgs),
    /// Lists or applies pending database migrations.
    Migrate(migrate::MigrateArgs),
    /// Copies everything to another database, of the same or of the other kind.
    MigrateStore(migrate_store::MigrateStoreArgs),
    /// Prints a one-time link that creates the first administrator in the browser.
    #[command(after_help = setup_link::EXAMPLES)]
    SetupLink,
    /// Manages users, without a running server.
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Lists and revokes the sessions of a user.
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// Manages roles.
    #[command(subcommand)]
    Roles(roles::RolesCommand),
    /// Manages outside providers that users sign in with.
    #[command(subcommand)]
    Providers(providers::ProvidersCommand),
    /// Manages service accounts.
    #[command(subcommand)]
    ServiceAccounts(service_accounts::ServiceAccountsCommand),
    /// Manages API keys.
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeysCommand),
    /// Manages webhooks.
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Lists and follows events.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Manages the keys that sign access tokens.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Rotates the master key, without downtime.
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    /// Verifies the hash chain of the audit log and exports it.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Writes a backup of the database while the server runs, or verifies one.
    Backup(backup::BackupArgs),
    /// Restores a backup into the configured database.
    Restore(restore::RestoreArgs),
    /// Makes the database agree with files: roles, service accounts, webhooks and providers.
    Apply(apply::ApplyArgs),
    /// Shows how the database differs from files: exit code 0 if it does not, 1 if it does, 2 on errors.
    Diff(apply::DiffArgs),
    /// Prints roles, service accounts, webhooks and providers as a document for `denizen apply`.
    Get(get::GetArgs),
    /// Prints the JSON Schema of the documents of `denizen apply`.
    #[command(after_help = get::SCHEMA_EXAMPLES)]
    Schema,
    /// Shows or checks the merged configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Writes a new service in Rust whose users sign in with Denizen.
    New(new::NewArgs),
    /// Examines everything that the server needs, and says what to do.
    Doctor(doctor::DoctorArgs),
    /// Prints the OpenAPI document of the REST API.
    #[command(after_help = "Example:\n  denizen openapi > openapi.json")]
    Openapi,
    /// Checks whether the running server is ready: exit code 0 if it is, else 1.
    #[command(after_help = healthcheck::EXAMPLES)]
    Healthcheck,
    /// Writes the manual pages.
    Man(man::ManArgs),
    /// Prints a completion script for a shell.
    #[command(after_help = completions::EXAMPLES)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Parses the arguments of a process, the first being its name, runs the command and returns the exit code.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = settings_first(arguments);
    let outcome = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli.run().await,
        Err(error) => Err(Failure::Arguments(error, command_of(&arguments))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Cli {
    async fn run(mut self) -> Result<(), Failure> {
        self.globals.output = match self.globals.format {
            Format::Yaml if !matches!(self.command, Command::Get(_)) => {
                return Err(Failure::Usage("--output yaml is only for `denizen get`; use text or json".to_owned()));
            }
            Format::Json => Output::Json,
            Format::Text | Format::Yaml => Output::Text,
        };
        let globals = &self.globals;
        match self.command {
            Command::Serve(args) => serve::run(globals, args).await,
            Command::Migrate(args) => migrate::run(globals, &args).await,
            Command::MigrateStore(args) => migrate_store::run(globals, &args).await,
            Command::SetupLink => setup_link::run(globals).await,
            Command::Users(command) => users::run(globals, command).await,
            Command::Sessions(command) => sessions::run(globals, command).await,
            Command::Roles(command) => roles::run(globals, command).await,
            Command::Providers(command) => providers::run(globals, command).await,
            Command::ServiceAccounts(command) => service_accounts::run(globals, command).await,
            Command::ApiKeys(command) => api_keys::run(globals, command).await,
            Command::Webhooks(command) => webhooks::run(globals, command).await,
            Command::Events(command) => events::run(globals, command).await,
            Command::Keys(command) => keys::run(globals, command).await,
            Command::MasterKey(command) => master_key::run(globals, command).await,
            Command::Audit(command) => audit::run(globals, command).await,
            Command::Backup(args) => backup::run(globals, args).await,
            Command::Restore(args) => restore::run(globals, args).await,
            Command::Apply(args) => apply::run(globals, args).await,
            Command::Diff(args) => apply::diff(globals, args).await,
            Command::Get(args) => get::run(globals, &args).await,
            Command::Schema => output::print_json(&crate::declarative::schema::schema()),
            Command::Config(command) => config::run(globals, &command).await,
            Command::New(args) => new::run(&args),
            Command::Doctor(args) => doctor::run(globals, args).await,
            Command::Openapi => openapi::run(),
            Command::Healthcheck => healthcheck::run(globals).await,
            Command::Man(args) => man::run(&args),
            Command::Completions { shell } => completions::run(shell),
        }
    }
}

impl Globals {
    /// The merged configuration; `flags` are the options of the command.
    fn load(&self, mut flags: Overrides) -> Result<Loaded, Failure> {
        for (key, value) in &self.settings {
            flags.push(key, value, "--set");
        }
        let sources = Sources { env_file: self.env_file.clone(), ..Sources::of_process(self.config_dir.clone()) };
        Config::from_sources(&sources, &flags).map_err(Failure::Config)
    }

    fn config(&self) -> Result<Config, Failure> {
        self.load(Overrides::default()).map(|loaded| loaded.config)
    }
}

/// The command that arguments name, as far as they name one: `denizen users create`.
fn command_of(arguments: &[OsString]) -> String {
    let mut words = vec!["denizen".to_owned()];
    let mut command = Cli::command();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        // Options and their values name no command.
        let Some(inner) = command.find_subcommand(argument).cloned() else { continue };
        words.push(argument.to_owned());
        command = inner;
    }
    words.join(" ")
}

/// The arguments with every `--set` before the command: of a global option that is given both before and
/// after the command, clap keeps the latter alone.
fn settings_first(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let mut first: Vec<OsString> = arguments.next().into_iter().collect();
    let mut rest = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            rest.push(argument);
            break;
        }
        let is_whole = argument.to_str().is_some_and(|text| text.starts_with("--set="));
        if is_whole || (argument == "--set" && arguments.peek().is_some()) {
            let value = if is_whole { None } else { arguments.next() };
            first.extend(std::iter::once(argument).chain(value));
        } else {
            rest.push(argument);
        }
    }
    first.into_iter().chain(rest).chain(arguments).collect()
}

fn parse_setting(raw: &str) -> Result<(String, String), &'static str> {
    let (key, value) = raw.split_once('=').ok_or("expected KEY=VALUE, such as server.port=9000")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
