//! `denizen man`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::Cli;
use super::failure::Failure;
use super::output::print;

/// Where to write the pages.
#[derive(Args)]
#[command(after_help = "\
Writes one page for each command, such as denizen-users-create.1.

Example:
  denizen man --out /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// The directory; it is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<(), Failure> {
    let out = &args.out;
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    // Without the built-in help commands: each would get a page.
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, out).with_context(|| format!("writing to {}", out.display()))?;
    print(&format!("wrote the manual pages to {}\n", out.display()))
}
