//! `denizen migrate`.

use clap::{Args, Subcommand};
use denizen_infra::stores::PendingMigration;
use serde_json::json;

use super::Globals;
use super::failure::Failure;
use super::output::{Output, print, print_json};

const EXAMPLES: &str = "\
`denizen serve` migrates by itself unless database.migrate_on_start is false. Any number of these may run at
once: one migrates, the others wait for it.

Examples:
  denizen migrate plan
  denizen migrate run";

/// What to do with pending migrations.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Clone, Copy, PartialEq)]
enum Action {
    /// Lists the pending migrations.
    Plan,
    /// Applies the pending migrations; this also happens when nothing is said.
    Run,
}

pub(super) async fn run(globals: &Globals, args: &MigrateArgs) -> Result<(), Failure> {
    let options = crate::app::store_options(&globals.config()?)?;
    let pending = options.pending().await.map_err(anyhow::Error::from)?;
    let action = args.action.unwrap_or(Action::Run);
    if action == Action::Run {
        options.migrate().await.map_err(anyhow::Error::from)?;
    }
    match globals.output {
        Output::Json => {
            let name = |found: &PendingMigration| json!({"version": found.version, "description": found.description});
            let list: Vec<_> = pending.iter().map(name).collect();
            print_json(&if action == Action::Run { json!({"applied": list}) } else { json!({"pending": list}) })
        }
        Output::Text if pending.is_empty() => print("the schema is up to date\n"),
        Output::Text => {
            let word = if action == Action::Run { "applied" } else { "pending" };
            let line = |found: &PendingMigration| format!("{word} {} {}\n", found.version, found.description);
            print(&pending.iter().map(line).collect::<String>())
        }
    }
}
