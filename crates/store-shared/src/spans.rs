//! Spans of statements in traces, by the semantic conventions of OpenTelemetry. Without an exporter there are none.

use denizen_domain::trace::SPAN_TARGET;
use tracing::Span;

/// The span of the statement in a file.
pub(crate) fn statement(file: &'static str) -> Span {
    tracing::info_span!(
        target: SPAN_TARGET,
        "db.query",
        otel.name = name_of(file),
        otel.kind = "client",
        db.system.name = crate::DATABASE_SYSTEM,
        db.query.summary = name_of(file),
    )
}

/// The name of a statement: that of its file.
fn name_of(file: &'static str) -> &'static str {
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    name.strip_suffix(".sql").unwrap_or(name)
}

/// Awaits a statement within its span.
macro_rules! traced {
    ($file:literal, $statement:expr) => {
        tracing::Instrument::instrument($statement, $crate::shared::spans::statement($file)).await
    };
}

pub(crate) use traced;
