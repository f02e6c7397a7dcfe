//! Exporting traces over OTLP/HTTP. Configured by the variables of the OpenTelemetry specification:
//! `OTEL_EXPORTER_OTLP_ENDPOINT` switches it on; `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT`,
//! `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` and
//! `OTEL_BSP_SCHEDULE_DELAY` are read by its libraries.
//!
//! Spans wait in a bounded queue. A collector that is away or slow costs spans, which are counted, and nothing else.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use botloom_core::trace::TARGET;
use metrics::{Counter, counter};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use crate::error::CommandError;

/// Switches exporting on.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Spans that wait for the collector; beyond it they are dropped.
const WAITING: usize = 4_096;
/// Time that the last spans get at the end of the process.
const LAST: Duration = Duration::from_secs(2);
/// Time of one export, if `OTEL_EXPORTER_OTLP_TIMEOUT` says nothing: the default of the specification.
const EXPORT: Duration = Duration::from_secs(10);

/// The export of traces, if there is one.
#[derive(Debug)]
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends what waits, within two seconds.
    pub(crate) async fn end(self) {
        let Some(provider) = self.0 else { return };
        // It blocks its thread until the collector has answered.
        let ending = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST));
        match tokio::time::timeout(LAST, ending).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans were not exported"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the collector did not take the last spans in time"),
        }
    }
}

/// Starts the export if the environment names a collector; answers the layer that makes spans of it.
pub(super) fn start<S>() -> Result<(Traces, Option<impl Layer<S>>), CommandError>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    if env::var(ENDPOINT).is_ok_and(|endpoint| !endpoint.is_empty()) {
        let provider = provider()?;
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("botloom"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(
                filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET)
                    .with_max_level_hint(LevelFilter::INFO),
            );
        Ok((Traces(Some(provider)), Some(layer)))
    } else {
        Ok((Traces(None), None))
    }
}

fn provider() -> Result<SdkTracerProvider, CommandError> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .build();
    let timeout = env::var("OTEL_EXPORTER_OTLP_TIMEOUT")
        .ok()
        .and_then(|ms| ms.parse().ok())
        .map_or(EXPORT, Duration::from_millis);
    let exporter = OtlpExporter::builder()
        .with_http()
        .with_http_client(HyperClient::new(connector, timeout, None))
        .build()
        .map_err(|error| CommandError::Start(format!("{ENDPOINT}: {error}")))?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let result = |result| counter!("botloom_trace_spans_total", "result" => result);
    let exporter = Counted {
        exporter,
        waiting: Arc::clone(&waiting),
        exported: result("exported"),
        failed: result("failed"),
    };
    // Its own queue is larger than what is let in, so that nothing is dropped unseen.
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING * 2)
        .build();
    let processor = Bounded {
        batches: BatchSpanProcessor::builder(exporter, Tokio)
            .with_batch_config(config)
            .build(),
        waiting,
        dropped: result("dropped"),
    };
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_resource(resource())
        .build())
}

fn resource() -> Resource {
    let named = env::var_os("OTEL_SERVICE_NAME").is_some()
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|text| text.contains("service.name="));
    let resource = Resource::builder().with_attribute(opentelemetry::KeyValue::new(
        "service.version",
        env!("CARGO_PKG_VERSION"),
    ));
    if named {
        resource.build()
    } else {
        resource.with_service_name("botloom").build()
    }
}

/// Lets spans wait up to a number, and counts the others.
#[derive(Debug)]
struct Bounded {
    batches: BatchSpanProcessor<Tokio>,
    waiting: Arc<AtomicUsize>,
    dropped: Counter,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING {
            self.batches.on_end(span);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.increment(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Counts what became of spans.
#[derive(Debug)]
struct Counted {
    exporter: OtlpExporter,
    waiting: Arc<AtomicUsize>,
    exported: Counter,
    failed: Counter,
}

/// Spans on their way; failed unless taken out, also when the processor gives their export up.
struct OnTheWay<'a> {
    spans: usize,
    failed: &'a Counter,
}

impl Drop for OnTheWay<'_> {
    fn drop(&mut self) {
        self.failed.increment(self.spans as u64);
    }
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::Relaxed);
        let mut on_the_way = OnTheWay {
            spans,
            failed: &self.failed,
        };
        self.exporter.export(batch).await?;
        on_the_way.spans = 0;
        self.exported.increment(spans as u64);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
