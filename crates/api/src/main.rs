//! The binary `denizen`: arguments in, exit code out. Everything else is in the library.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod huge_pages;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    huge_pages::ask_for();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    denizen::cli::run(std::env::args_os()).await
}
