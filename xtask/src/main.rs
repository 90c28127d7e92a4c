//! The chores of the workspace: derived files, the rules of the house, measurements.

#![expect(clippy::print_stdout, reason = "what a command finds out goes to stdout")]

mod bench;
mod client;
mod contract;
mod generate;
mod sqlx_data;
mod tidy;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

/// The chores of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write every derived file anew: the contract, the documented configuration, the offline query data.
    Generate {
        /// Change nothing; fail when a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Check the rules of the house that a linter cannot know.
    Tidy,
    /// Measure a release build. `make bench` builds one first.
    Bench(bench::Arguments),
    /// Serve one bare handler, to measure the server against.
    #[command(hide = true)]
    BareServer,
    /// Serve one hand-written route that writes, to measure the server against.
    #[command(hide = true)]
    BareWriter,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Generate { check: true } => generate::check(&root()),
        Chore::Generate { check: false } => generate::generate(&root()),
        Chore::Tidy => tidy::run(&root()),
        Chore::Bench(arguments) => bench::run(&arguments, &root()),
        Chore::BareServer => bench::serve_bare(),
        Chore::BareWriter => bench::serve_bare_writes(),
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
