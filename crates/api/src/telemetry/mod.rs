//! The log, one line per event on standard error, and traces for an OpenTelemetry collector.
//!
//! No request waits for the reader of the log: lines go through a bounded queue to a thread that writes them. Spans for
//! traces have the target [`SPAN_TARGET`]: the log does not show them, and without a collector they do not exist.

mod json;
mod writer;

use std::io::IsTerminal;
use std::panic;
use std::sync::OnceLock;

use anyhow::Context;
use denizen_domain::trace::SPAN_TARGET;
use denizen_infra::otlp::{self, Exporter};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use json::{JsonFields, JsonLine};
pub use writer::LogWriter;
pub(crate) use writer::dropped_lines;

use crate::config::{LogFormat, Telemetry};

/// Sets the filter of the running log.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// The running log and the running exporter of traces. Dropping it writes the lines and exports the spans that are still
/// queued, for a few seconds at most.
#[derive(Debug)]
pub struct Running {
    // In this order: the exporter may log.
    _exporter: Option<Exporter>,
    _log: LogWriter,
}

/// Starts the log for the process, and the export of traces if `telemetry.otlp_endpoint` is set. If the application has a
/// subscriber already, that one is kept. Must be called within a Tokio runtime.
///
/// # Errors
/// If `telemetry.log_filter` is not a filter, or the exporter cannot be set up.
pub fn init(telemetry: &Telemetry) -> anyhow::Result<Running> {
    let filter = EnvFilter::try_new(&telemetry.log_filter).context("telemetry.log_filter")?;
    let writer = LogWriter::start(writer::standard_error()).context("starting the log writer thread")?;
    let exporter = exporter(telemetry)?;

    let (filter, handle) = reload::Layer::new(filter);
    let filter = filter.and(filter_fn(|metadata| metadata.target() != SPAN_TARGET));
    let log = match telemetry.log_format {
        LogFormat::Text => fmt::layer()
            .with_writer(writer.queue())
            .with_ansi(std::io::stderr().is_terminal())
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .fmt_fields(JsonFields)
            .event_format(JsonLine)
            .with_ansi(false)
            .with_writer(writer.queue())
            .with_filter(filter)
            .boxed(),
    };
    let spans = Targets::new().with_target(SPAN_TARGET, LevelFilter::INFO);
    let traces = exporter.as_ref().map(|exporter| exporter.layer().with_filter(spans));
    let started = tracing_subscriber::registry().with(log).with(traces).try_init();
    if started.is_ok() {
        let _ = FILTER.set(handle);
        if let Some(exporter) = &exporter {
            exporter.activate();
        }
        log_panics();
    }
    Ok(Running { _exporter: exporter, _log: writer })
}

/// Changes the filter of the running log.
///
/// # Errors
/// If it is not a filter, or this process has no log of ours.
pub fn set_log_filter(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).context("telemetry.log_filter")?;
    FILTER.get().context("the log is not running")?.reload(filter).context("changing the log filter")
}

fn exporter(telemetry: &Telemetry) -> anyhow::Result<Option<Exporter>> {
    let Some(endpoint) = &telemetry.otlp_endpoint else { return Ok(None) };
    let settings = otlp::Settings {
        endpoint: endpoint.clone(),
        protocol: telemetry.otlp_protocol,
        headers: telemetry.otlp_headers.clone(),
        service_name: telemetry.service_name.clone(),
        sampled_percent: telemetry.sampled_percent,
        version: env!("CARGO_PKG_VERSION"),
    };
    Exporter::start(settings).context("telemetry.otlp_endpoint").map(Some)
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
