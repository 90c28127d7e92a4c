//! `denizen completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use super::failure::Failure;
use super::output::print;

pub(super) const EXAMPLES: &str = "\
Examples:
  denizen completions bash > ~/.local/share/bash-completion/completions/denizen
  denizen completions zsh > ~/.zfunc/_denizen
  denizen completions fish > ~/.config/fish/completions/denizen.fish";

pub(super) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "denizen", &mut script);
    print(&String::from_utf8_lossy(&script))
}
