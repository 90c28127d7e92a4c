//! The log: one line per event, on standard error.
//!
//! No request waits for the reader of the log: lines go through a bounded queue to a thread that writes them.

mod writer;

use std::io::IsTerminal;
use std::panic;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

pub use writer::LogWriter;

use crate::config::{LogFormat, Telemetry};

/// Starts the log for the process. Where one is running already, in an embedding application for example,
/// that one is kept. Dropping what is returned writes the lines that are still queued, for at most a second.
///
/// # Errors
/// When `telemetry.log_filter` is not a filter.
pub fn init(telemetry: &Telemetry) -> anyhow::Result<LogWriter> {
    let filter = EnvFilter::try_new(&telemetry.log_filter).context("telemetry.log_filter")?;
    let writer = LogWriter::start(writer::standard_error()).context("starting the log writer thread")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer.queue())
        .with_ansi(std::io::stderr().is_terminal());
    let started = match telemetry.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_ok() {
        log_panics();
    }
    Ok(writer)
}

/// Sends the message of a panic to the log. The standard hook writes to standard error itself, and waits when no process
/// reads it.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("unknown payload");
        tracing::error!(location, "panic: {message}");
    }));
}
