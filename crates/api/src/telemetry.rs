//! The log: one line per event, on standard error.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry};

/// Starts the log for the process. Where one is running already, in an embedding application for example,
/// that one is kept.
///
/// # Errors
/// When `telemetry.log_filter` is not a filter.
pub fn init(telemetry: &Telemetry) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&telemetry.log_filter).context("telemetry.log_filter")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = match telemetry.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
