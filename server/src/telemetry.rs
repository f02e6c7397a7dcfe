//! Logs: JSON for machines, text on a terminal, always on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{Config, LogFormat};
use crate::error::CommandError;

/// Starts logging for this process.
pub(crate) fn start(config: &Config) -> Result<(), CommandError> {
    let bad = |error: &dyn std::fmt::Display| CommandError::Start(format!("BOTLOOM_LOG: {error}"));
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|error| bad(&error))?;
    let json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::NONE);
    let started = if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| bad(&error))
}
