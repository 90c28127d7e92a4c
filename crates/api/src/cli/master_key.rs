//! `denizen master-key`: rotation of the master key without downtime.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use denizen_domain::store::Store;
use denizen_infra::clock::{SystemChance, SystemClock};
use denizen_infra::master_key::MasterKey;
use denizen_infra::root::{self, RootError};
use serde::Serialize;

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json};
use crate::app::master_key;
use crate::config::Config;

const STEPS: &str = "\
Rotation takes three steps, without downtime:
  1. Run `denizen master-key rotate` with the current key configured. Both keys then open the database.
  2. Configure the new key on every node and restart the nodes one after the other. Back up the new key.
  3. Run `denizen master-key retire` with the new key configured. The old key no longer opens the database.";

/// Subcommands of `master-key`.
#[derive(Subcommand)]
#[command(after_help = format!("{STEPS}\n
Examples:
  denizen master-key rotate --to-file data/master-2.key
  DENIZEN__SECURITY__MASTER_KEY_FILE=data/master-2.key denizen master-key retire
  denizen master-key status"))]
pub(super) enum MasterKeyCommand {
    /// Adds a second master key that opens the database.
    Rotate(RotateArgs),
    /// Removes all master keys except the configured one.
    #[command(after_help = "\
Run it with the new key configured, after every node uses the new key: a node with the old key cannot start again.
The command fails if the configured key does not open the database.

Example:
  DENIZEN__SECURITY__MASTER_KEY_FILE=data/master-2.key denizen master-key retire")]
    Retire,
    /// Prints how many master keys open the database, and whether the configured one does.
    #[command(after_help = "Examples:\n  denizen master-key status\n  denizen master-key status --output json")]
    Status,
}

/// The next master key.
#[derive(Args)]
#[command(after_help = format!("{STEPS}\n
Examples:
  denizen master-key rotate --to-file data/master-2.key
  denizen master-key rotate --to-command 'vault kv get -field=key secret/denizen-2'"))]
pub(super) struct RotateArgs {
    #[command(flatten)]
    next: NextArgs,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct NextArgs {
    /// The file of the next master key. If it does not exist, it is created with a new key, readable only by its owner.
    #[arg(long, value_name = "PATH")]
    to_file: Option<PathBuf>,
    /// The command that prints the next master key.
    #[arg(long, value_name = "COMMAND")]
    to_command: Option<String>,
}

#[derive(Serialize)]
struct StatusBody {
    /// How many master keys open the database.
    master_keys: usize,
    /// Whether the configured master key opens it.
    fits: bool,
}

#[derive(Serialize)]
struct RetiredBody {
    retired: u64,
}

pub(super) async fn run(globals: &Globals, command: MasterKeyCommand) -> Result<(), Failure> {
    let config = globals.config()?;
    let access = if matches!(command, MasterKeyCommand::Status) { Access::Read } else { Access::Change };
    let options = operator::require_schema(globals, &config, access).await?;
    let store = options.open().map_err(|error| anyhow::Error::from(error).context("opening the database"))?;
    let outcome = run_on(&store, globals.output, command, &config).await;
    store.close().await;
    outcome
}

async fn run_on(
    store: &Arc<dyn Store>,
    output: Output,
    command: MasterKeyCommand,
    config: &Config,
) -> Result<(), Failure> {
    let is_set_up = root::has_root(store.as_ref()).await.map_err(anyhow::Error::from)?;
    if !is_set_up {
        // Without a root key there is nothing to rotate, and no master key is created for it.
        return match command {
            MasterKeyCommand::Status => print_status(output, &StatusBody { master_keys: 0, fits: false }),
            _ => Err(anyhow!("the database has no root key yet; the first start creates it").into()),
        };
    }
    let current = master_key(&config.security, store.as_ref(), &SystemChance).await?;
    let place = Place { store: Arc::clone(store), current, output };
    match command {
        MasterKeyCommand::Rotate(args) => place.rotate(&args.next, config).await,
        MasterKeyCommand::Retire => place.retire().await,
        MasterKeyCommand::Status => place.status().await,
    }
}

/// A database and the configured master key.
struct Place {
    store: Arc<dyn Store>,
    current: MasterKey,
    output: Output,
}

impl Place {
    async fn rotate(&self, next: &NextArgs, config: &Config) -> Result<(), Failure> {
        // First, so that no new key is made for a database that the present one does not open.
        self.open(&self.current).await?;
        let key = next.read().await?;
        if key.is_weak() {
            return Err(anyhow!("the next master key is weak; generate one with `openssl rand -base64 32`").into());
        }
        if self.count().await? == 1 && self.opens(&key).await? {
            return Err(anyhow!("the next master key is the configured one").into());
        }
        let rekeyed = root::rekey(self.store.as_ref(), &self.current, &key, &SystemClock).await;
        rekeyed.map_err(anyhow::Error::from)?;
        print_status(self.output, &StatusBody { master_keys: self.count().await?, fits: true })?;
        writeln!(std::io::stderr(), "next: {}", next.steps(config))?;
        Ok(())
    }

    async fn retire(&self) -> Result<(), Failure> {
        let retired = root::retire_other_masters(self.store.as_ref(), &self.current).await;
        let retired = retired.map_err(anyhow::Error::from)?;
        match self.output {
            Output::Json => print_json(&RetiredBody { retired }),
            Output::Text if retired == 0 => print("there was no other master key\n"),
            Output::Text => print(&format!("removed master keys: {retired}\n")),
        }
    }

    async fn status(&self) -> Result<(), Failure> {
        let master_keys = self.count().await?;
        // A database without a root key would get one by being asked.
        let fits = master_keys > 0 && self.opens(&self.current).await?;
        print_status(self.output, &StatusBody { master_keys, fits })
    }

    /// How many master keys open the database.
    async fn count(&self) -> Result<usize, Failure> {
        let mut read = self.store.read().await.map_err(anyhow::Error::from)?;
        Ok(read.sealed_roots().await.map_err(anyhow::Error::from)?.len())
    }

    async fn opens(&self, key: &MasterKey) -> Result<bool, Failure> {
        match root::open_root(self.store.as_ref(), key, &SystemClock, &SystemChance).await {
            Ok(_) => Ok(true),
            Err(RootError::DoesNotFit) => Ok(false),
            Err(error) => Err(anyhow::Error::from(error).into()),
        }
    }

    async fn open(&self, key: &MasterKey) -> Result<(), Failure> {
        let opened = root::open_root(self.store.as_ref(), key, &SystemClock, &SystemChance).await;
        opened.map(drop).map_err(|error| anyhow::Error::from(error).into())
    }
}

fn print_status(output: Output, status: &StatusBody) -> Result<(), Failure> {
    match output {
        Output::Json => print_json(status),
        Output::Text if status.master_keys == 0 => {
            print("the database has no root key yet; the first start creates it\n")
        }
        Output::Text => {
            let verb = if status.fits { "is one of them" } else { "is not one of them" };
            let count = status.master_keys;
            print(&format!("master keys that open the database: {count}; the configured one {verb}\n"))
        }
    }
}

impl NextArgs {
    async fn read(&self) -> Result<MasterKey, Failure> {
        let key = match (&self.to_file, &self.to_command) {
            (Some(path), _) => MasterKey::from_file(path, &SystemChance),
            (None, Some(command)) => MasterKey::from_command(command).await,
            (None, None) => return Err(Failure::Usage("pass --to-file or --to-command".to_owned())),
        };
        Ok(key.context("the next master key")?)
    }

    /// The remaining steps of the rotation.
    fn steps(&self, config: &Config) -> String {
        let set = match (&self.to_file, &self.to_command) {
            (Some(path), _) => format!("security.master_key_file = {}", path.display()),
            _ => "security.master_key_command to this command".to_owned(),
        };
        let unset = match (&config.security.master_key, &config.security.master_key_command) {
            (Some(_), _) => ", remove security.master_key",
            (None, Some(_)) if self.to_file.is_some() => ", remove security.master_key_command",
            _ => "",
        };
        format!("back up the new key, set {set}{unset}, restart every node, then run `denizen master-key retire`")
    }
}
