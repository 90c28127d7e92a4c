//! The binary `denizen`. All code is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    denizen::cli::run(std::env::args_os()).await
}
