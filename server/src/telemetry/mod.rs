//! Logs, on standard error, and traces, to a collector if there is one.

mod json;
mod spans;
mod traces;

use std::io::IsTerminal as _;

use botloom_core::trace::TARGET;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{Config, LogFormat};
use crate::error::CommandError;
use json::JsonWithTrace;
pub(crate) use spans::traced;
pub(crate) use traces::Traces;

/// Starts logging for this process, and exporting traces if the environment names a collector. Must be called inside a
/// Tokio runtime.
pub(crate) fn start(config: &Config) -> Result<Traces, CommandError> {
    let bad = |error: &dyn std::fmt::Display| CommandError::Start(format!("BOTLOOM_LOG: {error}"));
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|error| bad(&error))?;
    // Without this every span of a trace would be formatted for a log that does not show it.
    let no_traces = filter_fn(|metadata| metadata.target() != TARGET).with_max_level_hint(LevelFilter::TRACE);
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = if json {
        layer
            .event_format(JsonWithTrace::default())
            .fmt_fields(JsonFields::new())
            .boxed()
    } else {
        layer.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let (traces, exporting) = traces::start()?;
    tracing_subscriber::registry()
        .with(logs.with_filter(filter.and(no_traces)))
        .with(exporting)
        .try_init()
        .map_err(|error| bad(&error))?;
    Ok(traces)
}
