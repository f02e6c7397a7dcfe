//! `botloom repair` and `botloom spread`: an operator's hands on the queues in Redis.

use std::path::Path;

use botloom_core::BotId;

use crate::config::Config;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;
use crate::wiring;

/// Gives lanes with work that stand nowhere their place back. Harmless at any time, also while nodes run.
pub(crate) async fn repair(file: Option<&Path>) -> CommandResult {
    let lanes = wiring::redis_lanes(&Config::load(file)?).await?;
    let places = lanes.repair().await.map_err(|error| wiring::refused(&error))?;
    say(format!("{places} places were missing and are there again"));
    Ok(())
}

/// Spreads a bot over so many shards, if it has nothing queued.
pub(crate) async fn spread(file: Option<&Path>, bot: &str, shards: u16) -> CommandResult {
    let bot = BotId::new(bot).map_err(|error| CommandError::Other(error.to_string()))?;
    let lanes = wiring::redis_lanes(&Config::load(file)?).await?;
    if wiring::spread(&lanes, &bot, shards).await? {
        say(format!("{bot} is spread over {shards} shards"));
        return Ok(());
    }
    Err(CommandError::Other(format!(
        "{bot} has updates, messages or dead letters that wait; disconnect it, let it drain, settle its dead letters, and try again"
    )))
}
