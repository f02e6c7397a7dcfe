//! `botloom rollback`: back to what was live before.

use serde_json::json;

use super::going_live::{revision_of, see_through};
use crate::api_client::Api;
use crate::cli::releases::{RollbackArgs, Target};
use crate::error::CommandResult;

/// Rolls a bot back.
pub(crate) async fn rollback(args: &RollbackArgs) -> CommandResult {
    let api = Api::login(&args.at.login).await?;
    let to = match &args.to {
        None => None,
        Some(Target::Revision(revision)) => Some(revision.clone()),
        Some(Target::Version(version)) => Some(revision_of(&api, &args.bot, *version).await?),
    };
    let body = json!({ "botId": args.bot, "revHash": to });
    let queued = api.post("/rollback", body).await?.ok()?;
    let task = queued["taskId"].as_str().unwrap_or_default();
    see_through(&api, task, args.wait, &args.at).await
}
