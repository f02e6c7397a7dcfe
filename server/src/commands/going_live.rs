//! What commands that make a revision live share: which one is meant, from what to what it goes, and how it ends.

use serde_json::Value;

use super::apply::{deployed, generate, generated};
use super::listing::{newest, segment};
use crate::api_client::Api;
use crate::cli::bots::At;
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, say};

/// The version that a revision was built from.
pub(super) async fn version_of(api: &Api, revision: &str) -> Result<u64, CommandError> {
    let passport = api.get(&format!("/revisions/{revision}")).await?.ok()?;
    passport["specVersion"]
        .as_u64()
        .ok_or_else(|| CommandError::Api(format!("the server does not say of which version {revision} is")))
}

/// The newest version of a bot.
pub(super) async fn newest_version(api: &Api, bot: &str) -> Result<u64, CommandError> {
    let versions = newest(api, &format!("/spec?botId={}", segment(bot)), 1).await?;
    let version = versions.first().and_then(|version| version["version"].as_u64());
    version.ok_or_else(|| {
        CommandError::Other(format!("{bot} has no version yet; post one with `botloom apply`"))
    })
}

/// The newest revision of a version, if it was ever built.
pub(super) async fn revision_of(api: &Api, bot: &str, version: u32) -> Result<String, CommandError> {
    let path = format!("/revisions?botId={}&limit=200", segment(bot));
    let mut next = String::new();
    loop {
        let page = api.get(&format!("{path}{next}")).await?.ok()?;
        let mut revisions = page["items"].as_array().into_iter().flatten();
        let found = revisions.find(|revision| revision["specVersion"] == version);
        if let Some(revision) = found.and_then(|revision| revision["revHash"].as_str()) {
            return Ok(revision.to_owned());
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => {
                return Err(CommandError::Other(format!(
                    "version {version} of {bot} was never built; `botloom deploy {bot} --version {version}` builds and deploys it"
                )));
            }
        }
    }
}

/// A revision in words.
pub(super) async fn named(api: &Api, revision: &Value) -> Result<String, CommandError> {
    match revision.as_str() {
        None => Ok("nothing".to_owned()),
        Some(revision) => {
            let version = version_of(api, revision).await?;
            Ok(format!("version {version} ({revision})"))
        }
    }
}

/// Has a version built if it was not built yet, and says what is waited for; answers the revision.
pub(super) async fn built(api: &Api, bot: &str, version: u64) -> Result<String, CommandError> {
    // Building what is built already makes the revision that is there.
    let task = generate(api, bot, version).await?;
    note(format!("building version {version} of {bot}: task {task}"));
    generated(api, &task).await
}

/// Says from what to what a deployment leads, and how it ends if `wait`ed for. As JSON it is shown at last.
pub(super) async fn see_through(api: &Api, task: &str, wait: bool, at: &At) -> CommandResult {
    let tell = |line: String| if at.json { note(line) } else { say(line) };
    let path = format!("/deployments/{task}");
    let begun = api.get(&path).await?.ok()?;
    let bot = begun["botId"].as_str().unwrap_or_default();
    let to = named(api, &begun["toRev"]).await?;
    let from = named(api, &begun["fromRev"]).await?;
    tell(format!("{bot} goes from {from} to {to}"));
    let ended = if wait {
        note(format!("waiting for the deployment: task {task}"));
        let ended = deployed(api, task, tell).await;
        ended.map(|epoch| tell(format!("{bot} is live with {to}, epoch {epoch}")))
    } else {
        tell(format!("deploying: task {task}"));
        Ok(())
    };
    if at.json {
        say(api.get(&path).await?.ok()?);
    }
    ended
}
