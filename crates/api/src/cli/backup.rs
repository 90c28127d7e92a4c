//! `denizen backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use denizen_infra::snapshots::{Contents, Header};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Globals;
use super::failure::Failure;
use super::operator::{self, Access};
use super::output::{Output, print, print_json};
use super::progress::Progress;
use crate::backup::{self, BackupFile, Target, Verified};
use crate::encrypted_file::{DecryptionArgs, EncryptionArgs};

const EXAMPLES: &str = "\
The backup is a consistent copy of the state when the command starts; the server goes on meanwhile. It contains users
with their credentials, sessions, roles, API keys, providers, webhooks, signing keys and the event log, compressed. It
does not contain the master key, which is needed to restore it: keep a copy of the key in another place. Rate limits,
links, queued mail and idempotency keys, which expire within hours, are left out.

The file appears under its name when it is complete. An existing file is replaced.

Examples:
  denizen backup accounts.backup
  denizen backup accounts.backup --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  denizen backup - --passphrase-file pass | ssh backup@example.com 'cat > accounts.backup'
  denizen backup verify accounts.backup";

/// The backup.
#[derive(Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct BackupArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// The file, or - for standard output.
    #[arg(value_name = "FILE", required = true)]
    file: Option<String>,
    #[command(flatten)]
    encryption: EncryptionArgs,
}

#[derive(Subcommand)]
enum Action {
    /// Checks that a backup is complete and unchanged. Needs no database.
    #[command(after_help = "Examples:\n  denizen backup verify accounts.backup\n  \
        denizen backup verify accounts.backup --identity-file key.txt --output json")]
    Verify(VerifyArgs),
}

#[derive(Args)]
struct VerifyArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    decryption: DecryptionArgs,
}

#[derive(Serialize)]
pub(super) struct BackupBody<'a> {
    created_at: &'a str,
    release: &'a str,
    schema_version: i64,
    database: &'a str,
    rows: u64,
    users: u64,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl<'a> BackupBody<'a> {
    pub(super) fn new(header: &'a Header, contents: &Contents, bytes: Option<u64>) -> Self {
        Self {
            created_at: &header.created_at,
            release: &header.release,
            schema_version: header.schema_version,
            database: &header.database,
            rows: contents.rows(),
            users: contents.of("users"),
            events: contents.of("events"),
            bytes,
        }
    }
}

pub(super) async fn run(globals: &Globals, args: BackupArgs) -> Result<(), Failure> {
    match args.action {
        Some(Action::Verify(args)) => verify(globals, args).await,
        None => create(globals, &args.file.unwrap_or_default(), &args.encryption).await,
    }
}

async fn create(globals: &Globals, file: &str, encryption: &EncryptionArgs) -> Result<(), Failure> {
    let recipients = encryption.recipients().map_err(anyhow::Error::from)?;
    let config = globals.config()?;
    let ctx = operator::open(globals, &config, Access::Read).await?;
    let options = crate::app::store_options(&config)?;
    let target = if file == "-" { Target::Stdout } else { Target::File(PathBuf::from(file)) };
    let progress = Progress::of("rows");
    let on_progress = |rows| progress.advance_to(rows, String::new());
    let made = backup::create(ctx.services(), &options, &target, recipients.as_ref(), &on_progress).await;
    ctx.store().close().await;
    progress.clear();
    let made = made?;
    let summary = text(&made.contents);
    match (&target, globals.output) {
        (Target::Stdout, _) => Ok(()),
        (_, Output::Json) => print_json(&BackupBody::new(&made.header, &made.contents, Some(made.bytes))),
        (_, Output::Text) => print(&format!("backed up {summary} to {file} ({})\n", size(made.bytes))),
    }
}

async fn verify(globals: &Globals, args: VerifyArgs) -> Result<(), Failure> {
    let shown = args.file.display().to_string();
    let verified = spawn_blocking(move || BackupFile::open(&args.file, &args.decryption)?.verify()).await;
    let Verified { header, contents, .. } = verified.map_err(anyhow::Error::from)??;
    match globals.output {
        Output::Json => print_json(&BackupBody::new(&header, &contents, None)),
        Output::Text => print(&format!(
            "{shown} is complete and unchanged: {}, made at {} by release {} from {}\n",
            text(&contents),
            header.created_at,
            header.release,
            header.database
        )),
    }
}

/// How much a backup has.
pub(super) fn text(contents: &Contents) -> String {
    let many = |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let (users, events) = (contents.of("users"), contents.of("events"));
    format!("{}, {}, {}", many(users, "user"), many(events, "event"), many(contents.rows(), "row"))
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
