//! `botloom disconnect`: a bot takes no updates any more.

use serde_json::Value;

use super::listing::{segment, tell};
use crate::api_client::Api;
use crate::cli::bots::At;
use crate::error::CommandResult;

/// Takes a bot off Telegram.
pub(crate) async fn disconnect(bot: &str, at: &At) -> CommandResult {
    let api = Api::login(&at.login).await?;
    let path = format!("/bots/{}/disconnect", segment(bot));
    let answer = api.post(&path, Value::Null).await?.ok()?;
    tell(at.json, &answer, format!("{bot} takes no updates any more"));
    Ok(())
}
