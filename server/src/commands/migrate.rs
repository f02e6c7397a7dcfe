//! `botloom migrate`: the storage's schema, brought up to date.

use std::path::Path;

use crate::config::Config;
use crate::error::CommandResult;
use crate::terminal::say;
use crate::{telemetry, wiring};

/// Opens the storage, which creates or migrates its schemas, and closes it again.
pub(crate) async fn migrate(file: Option<&Path>) -> CommandResult {
    let config = Config::load(file)?;
    let traces = telemetry::start(&config)?;
    wiring::open_storage(&config).await?.close().await;
    traces.end().await;
    if config.services.database.is_some() {
        say("the database is up to date");
    } else {
        say(format!("{} is up to date", config.data_dir.display()));
    }
    Ok(())
}
