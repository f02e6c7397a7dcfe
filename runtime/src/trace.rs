//! Traces across queues: a span goes into a queue as a `traceparent` and is the parent of what is done later.
//!
//! An update whose trace is not recorded has no spans at all; where nothing is exported no span is made and nothing is
//! allocated. Spans say what was done and how it ended, never what people wrote: no texts, chats, addresses or tokens.

use botloom_core::TraceParent;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub(crate) use botloom_core::trace::TARGET;

/// The span that `make` makes, as a child of one that came through a queue.
pub(crate) fn continued(from: Option<&TraceParent>, make: impl FnOnce() -> Span) -> Span {
    let Some(from) = from else { return Span::none() };
    let span = make();
    if !span.is_disabled()
        && let Some(context) = read(from)
    {
        // Fails only where nothing is exported.
        let _ = span.set_parent(Context::new().with_remote_span_context(context));
    }
    span
}

/// The span that `make` makes under the current one; none where there is no current one, so that it does not begin a
/// trace of its own.
pub(crate) fn child(make: impl FnOnce() -> Span) -> Span {
    if Span::current().is_disabled() {
        Span::none()
    } else {
        make()
    }
}

/// Says that a span also belongs to another trace.
pub(crate) fn link(span: &Span, to: Option<&TraceParent>) {
    if !span.is_disabled()
        && let Some(context) = to.and_then(read)
    {
        span.add_link(context);
    }
}

/// A span as it goes into a queue, if its trace is recorded.
pub(crate) fn carried(span: &Span) -> Option<TraceParent> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let context = span.span_context();
    if !context.is_sampled() {
        return None;
    }
    TraceParent::new(format!("00-{}-{}-01", context.trace_id(), context.span_id())).ok()
}

fn read(text: &TraceParent) -> Option<SpanContext> {
    let mut parts = text.as_str().split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let state = TraceState::default();
    Some(SpanContext::new(trace, span, TraceFlags::new(flags), true, state))
}
