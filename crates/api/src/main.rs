//! The binary `denizen`. All code is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Worker threads free what others have allocated, which the allocator of glibc serializes with locks (ADR 15). An
/// application that embeds the library chooses its own allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    denizen::cli::run(std::env::args_os()).await
}
