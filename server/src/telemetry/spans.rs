//! The span around a request to the API.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use botloom_core::trace::TARGET;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Asked for by machines that watch.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The router with a span around every request, which continues the trace of its caller (`traceparent`, W3C Trace
/// Context). Not for webhooks: what Telegram's side sends must not decide what is recorded.
pub(crate) fn traced(router: Router) -> Router {
    router.layer(from_fn(around))
}

async fn around(request: Request, next: Next) -> Response {
    let span = span(&request);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if let Some(id) = response
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
    {
        span.record("botloom.request", id);
    }
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

fn span(request: &Request) -> Span {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    if UNTRACED.contains(&route) {
        return Span::none();
    }
    let method = request.method();
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = format!("{method} {route}").trim_end(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.route = route,
        http.response.status_code = Empty,
        botloom.request = Empty,
    );
    if !span.is_disabled() {
        let caller = TraceContextPropagator::new().extract(&HeaderExtractor(request.headers()));
        // Fails only where nothing is exported.
        let _ = span.set_parent(caller);
    }
    span
}
