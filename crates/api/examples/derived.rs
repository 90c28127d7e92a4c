//! Prints a file that the code decides: `openapi`, `config`, `env`, `events`, `schemas`, `apply` or `metrics`. `cargo xtask generate` writes them.

use std::io::Write;

fn main() -> anyhow::Result<()> {
    let text = match std::env::args().nth(1).as_deref() {
        Some("openapi") => denizen::openapi::document().to_pretty_json()? + "\n",
        Some("config") => denizen::config::default_toml(),
        Some("env") => denizen::config::env_example(),
        Some("events") => denizen::catalogue::page(),
        Some("schemas") => serde_json::to_string_pretty(&denizen::catalogue::schemas())? + "\n",
        Some("apply") => serde_json::to_string_pretty(&denizen::declarative::schema())? + "\n",
        Some("metrics") => denizen::metrics::page(),
        _ => anyhow::bail!("usage: derived openapi|config|env|events|schemas|apply|metrics"),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
