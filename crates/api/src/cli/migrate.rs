//! `denizen migrate`.

use clap::{Args, Subcommand};
use denizen_domain::migrations::{PendingMigration, TableLock, TableWork};
use serde::Serialize;

use super::Globals;
use super::failure::Failure;
use super::operator;
use super::output::{Output, print, print_json};

const EXAMPLES: &str = "\
`denizen serve` applies migrations on start unless database.migrate_on_start is false. Concurrent runs are safe: one
migrates, the others wait.

A plan names the tables that each migration locks until it is complete, what cannot be done with them meanwhile, and
whether their rows are read (scan) or written (rewrite). Tables that a pending migration creates are left out.

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
    /// Lists the pending migrations and the locks that they take.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<Vec<LockBody>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_statements: Vec<String>,
}

#[derive(Serialize)]
struct LockBody {
    table: String,
    mode: &'static str,
    blocks_reads: bool,
    blocks_writes: bool,
    work: &'static str,
}

pub(super) async fn run(globals: &Globals, args: &MigrateArgs) -> Result<(), Failure> {
    let options = operator::announce_database(globals, &globals.config()?)?;
    let pending = options.pending().await.map_err(anyhow::Error::from)?;
    let action = args.action.unwrap_or(Action::Run);
    if action == Action::Run {
        options.migrate().await.map_err(anyhow::Error::from)?;
    }
    let has_run = action == Action::Run;
    match globals.output {
        Output::Json => {
            let list = pending.into_iter().map(|step| body(step, has_run)).collect();
            print_json(&if has_run { PlanBody::Applied(list) } else { PlanBody::Pending(list) })
        }
        Output::Text if pending.is_empty() => print("the schema is up to date\n"),
        Output::Text => print(&pending.iter().map(|step| text(step, has_run)).collect::<String>()),
    }
}

fn body(step: PendingMigration, has_run: bool) -> MigrationBody {
    let PendingMigration { version, description, locks, unknown_statements } = step;
    let lock = |TableLock { table, mode, blocks_reads, blocks_writes, work }| {
        let work = match work {
            TableWork::Nothing => "none",
            TableWork::Scan => "scan",
            TableWork::Rewrite => "rewrite",
        };
        LockBody { table, mode, blocks_reads, blocks_writes, work }
    };
    if has_run {
        return MigrationBody { version, description, locks: None, unknown_statements: Vec::new() };
    }
    let locks = Some(locks.into_iter().map(lock).collect());
    MigrationBody { version, description, locks, unknown_statements }
}

fn text(step: &PendingMigration, has_run: bool) -> String {
    let PendingMigration { version, description, locks, unknown_statements } = step;
    if has_run {
        return format!("applied {version} {description}\n");
    }
    let mut lines = vec![format!("pending {version} {description}\n")];
    for TableLock { table, mode, blocks_reads, blocks_writes, work } in locks {
        let table = if table == "*" { "all tables" } else { table };
        let blocks = match (blocks_reads, blocks_writes) {
            (true, _) => "blocks reads and writes",
            (false, true) => "blocks writes",
            (false, false) => "blocks neither reads nor writes",
        };
        let work = match work {
            TableWork::Nothing => "",
            TableWork::Scan => ", reads all rows",
            TableWork::Rewrite => ", writes all rows",
        };
        lines.push(format!("  {table}: {mode} lock, {blocks}{work}\n"));
    }
    if locks.is_empty() {
        lines.push("  locks no existing table\n".to_owned());
    }
    for statement in unknown_statements {
        lines.push(format!("  locks are not known: {statement}\n"));
    }
    lines.concat()
}
