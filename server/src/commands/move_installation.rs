//! `botloom move`: a whole installation from the data folder to services, or back.

use std::path::Path;

use crate::cli::SideArg;
use crate::config::Config;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;
use crate::{telemetry, wiring};

/// Copies everything, counts and hashes it on both sides, and shows both. Fails if they differ.
pub(crate) async fn move_installation(file: Option<&Path>, to: SideArg) -> CommandResult {
    let config = Config::load(file)?;
    let traces = telemetry::start(&config)?;
    if !config.services.any() {
        let why = "no service is set; DATABASE_URL, REDIS_URL, S3_BUCKET and CLICKHOUSE_URL name them";
        return Err(CommandError::Other(why.to_owned()));
    }
    let moved = wiring::move_storage(&config, to).await;
    traces.end().await;
    let report = moved?;
    say(format!("{:20} {:>34} {:>34}", "", "from", "to"));
    for (what, from) in &report.from {
        let there = report.to.get(what).copied().unwrap_or_default();
        say(format!(
            "{what:20} {:>34} {:>34}",
            from.to_string(),
            there.to_string()
        ));
    }
    let differences = report.differences();
    if differences.is_empty() {
        say(
            "\nEverything is there. Start the nodes with the new settings; keep the old side until you are content.",
        );
        return Ok(());
    }
    Err(CommandError::Other(format!(
        "the two sides differ in {}; the target must not be used",
        differences.join(", ")
    )))
}
