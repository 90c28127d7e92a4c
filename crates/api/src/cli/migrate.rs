//! `denizen migrate`.

use clap::{Args, Subcommand};
use denizen_infra::stores::PendingMigration;
use serde::Serialize;

use super::Globals;
use super::failure::Failure;
use super::operator;
use super::output::{Output, print, print_json};

const EXAMPLES: &str = "\
`denizen serve` applies migrations on start unless database.migrate_on_start is false. Concurrent runs are safe: one
migrates, the others wait.

Examples:
  denizen migrate plan
  denizen migrate run";

/// Subcommands of `migrate`.
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
    /// Applies the pending migrations (default).
    Run,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PlanBody {
    Applied(Vec<MigrationBody>),
    Pending(Vec<MigrationBody>),
}

#[derive(Serialize)]
struct MigrationBody {
    version: i64,
    description: String,
}

pub(super) async fn run(globals: &Globals, args: &MigrateArgs) -> Result<(), Failure> {
    let options = operator::name(globals, &globals.config()?)?;
    let pending = options.pending().await.map_err(anyhow::Error::from)?;
    let action = args.action.unwrap_or(Action::Run);
    if action == Action::Run {
        options.migrate().await.map_err(anyhow::Error::from)?;
    }
    match globals.output {
        Output::Json => {
            let body =
                |found: PendingMigration| MigrationBody { version: found.version, description: found.description };
            let list = pending.into_iter().map(body).collect();
            print_json(&if action == Action::Run { PlanBody::Applied(list) } else { PlanBody::Pending(list) })
        }
        Output::Text if pending.is_empty() => print("the schema is up to date\n"),
        Output::Text => {
            let word = if action == Action::Run { "applied" } else { "pending" };
            let line = |found: &PendingMigration| format!("{word} {} {}\n", found.version, found.description);
            print(&pending.iter().map(line).collect::<String>())
        }
    }
}
