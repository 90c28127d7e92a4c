//! `denizen restore`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;

use super::Globals;
use super::backup::{BackupBody, text};
use super::confirm::confirm;
use super::failure::Failure;
use super::operator;
use super::output::{Output, print, print_json};
use super::progress::Progress;
use crate::backup::{BackupFile, Restore};
use crate::encrypted_file::DecryptionArgs;

/// The restore.
#[derive(Args)]
#[command(after_help = "\
The backup is verified before anything is changed. It can be restored into either database, whichever it was made from.
The master key of the server that made it must be configured. A database that contains users is only replaced with
--replace; a SQLite file is then kept beside the new one. All servers must be stopped.

After a restore, all sessions have ended and all signing keys are withdrawn: no access token and no refresh token of
before is accepted, whether it was revoked since or not. Users sign in again. Passwords, second factors, passkeys,
identities, API keys, webhook secrets and the status of users are those of the backup.

Examples:
  denizen backup verify accounts.backup
  denizen restore accounts.backup --dry-run
  denizen restore accounts.backup
  denizen restore accounts.backup --replace --yes --identity-file key.txt")]
pub(super) struct RestoreArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replaces a database that contains users.
    #[arg(long)]
    replace: bool,
    /// Verifies the backup and looks at the database, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does not ask for confirmation.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    decryption: DecryptionArgs,
}

#[derive(Serialize)]
struct RestoredBody<'a> {
    backup: BackupBody<'a>,
    dry_run: bool,
    replaces: Option<&'a str>,
    ended_sessions: Option<u64>,
    previous_database: Option<String>,
}

pub(super) async fn run(globals: &Globals, args: RestoreArgs) -> Result<(), Failure> {
    let config = globals.config()?;
    let options = operator::announce_database(globals, &config)?;
    let RestoreArgs { file, replace, dry_run, yes, decryption } = args;
    let file = BackupFile::open(&file, &decryption)?;
    let plan = Restore::plan(&config, &options, file).await?;
    let summary = text(&plan.contents);
    let body = |ended_sessions, previous_database| RestoredBody {
        backup: BackupBody::new(&plan.header, &plan.contents, None),
        dry_run,
        replaces: plan.present.as_deref(),
        ended_sessions,
        previous_database,
    };
    if dry_run {
        let present = plan.present.as_deref().unwrap_or("nothing");
        return match globals.output {
            Output::Json => print_json(&body(None, None)),
            Output::Text => print(&format!(
                "would restore {summary} as of {}; the database contains {present}\n",
                plan.header.created_at
            )),
        };
    }
    if let Some(present) = &plan.present {
        if !replace {
            return Err(anyhow!("{options} contains {present}; pass --replace to replace it").into());
        }
        confirm(yes, &format!("This replaces {options}, which contains {present}"))?;
    }
    let progress = Progress::of("rows");
    progress.set_total(plan.contents.rows());
    let on_progress = |rows| progress.advance_to(rows, String::new());
    let restored = plan.run(&on_progress).await;
    progress.clear();
    let restored = restored?;
    let previous = restored.previous.map(|path| path.display().to_string());
    let ended = restored.loaded.ended_sessions;
    if globals.output == Output::Json {
        return print_json(&body(Some(ended), previous));
    }
    if let Some(previous) = previous {
        writeln!(io::stderr(), "the previous database is kept as {previous}")?;
    }
    print(&format!(
        "restored {summary} as of {}; {ended} sessions have ended, users sign in again\n",
        plan.header.created_at
    ))
}
