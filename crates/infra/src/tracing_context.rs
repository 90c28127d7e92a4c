//! The trace that work belongs to (W3C Trace Context), across processes and across time.

use std::sync::atomic::{AtomicBool, Ordering};

use denizen_domain::trace::TraceParent;
use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Whether spans are exported.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Whether spans are exported. If not, the functions of this module return at once.
#[must_use]
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

pub(crate) fn set_on() {
    IS_ON.store(true, Ordering::Relaxed);
}

/// Makes a span the child of the one that the headers of its request name.
pub fn continue_from(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if context.span().span_context().is_valid() {
        let _ = span.set_parent(context);
    }
}

/// Makes a span the child of one that ended earlier, possibly in another process.
pub fn continue_after(span: &Span, parent: Option<TraceParent>) {
    let Some(TraceParent { trace_id, span_id }) = parent else { return };
    let (trace_id, span_id) = (TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id));
    let parent = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::NONE);
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// The id of the trace that a span belongs to, in hexadecimal.
#[must_use]
pub fn trace_id_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// The current span, to be stored as the parent of later work; `None` if its trace is not recorded.
#[must_use]
pub fn current() -> Option<TraceParent> {
    if !is_on() {
        return None;
    }
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    // Nothing is stored for a trace that is not recorded.
    let is_recorded = span.is_valid() && span.is_sampled();
    is_recorded.then(|| TraceParent { trace_id: span.trace_id().to_bytes(), span_id: span.span_id().to_bytes() })
}

/// Names the current span in the headers of a request to another server.
pub(crate) fn inject(headers: &mut HeaderMap) {
    if is_on() {
        TraceContextPropagator::new().inject_context(&Context::current(), &mut HeaderInjector(headers));
    }
}
