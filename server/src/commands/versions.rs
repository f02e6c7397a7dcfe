//! `botloom versions`: what a bot was, and the way back to it.

use botloom_spec::model::BotSpec;
use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::going_live::{newest_version, version_of};
use super::listing::{newest, segment, show, tell};
use crate::api_client::Api;
use crate::cli::bots::At;
use crate::cli::releases::{NewestArgs, VersionsCommand};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Runs one of the commands.
pub(crate) async fn versions(command: VersionsCommand) -> CommandResult {
    match command {
        VersionsCommand::List(args) => list(&args).await,
        VersionsCommand::Show { bot, version, login } => {
            let api = Api::login(&login).await?;
            let version = version.map_or_else(|| "latest".to_owned(), |version| version.to_string());
            let path = format!("/spec/{version}?botId={}", segment(&bot));
            let spec = api.get(&path).await?.ok()?;
            say(pretty(&spec)?);
            Ok(())
        }
        VersionsCommand::Diff {
            bot,
            from,
            to,
            json,
            login,
        } => diff(&Api::login(&login).await?, &bot, (from, to), json).await,
        VersionsCommand::Restore {
            bot,
            version,
            note,
            at,
        } => restore(&bot, version, note.as_deref(), &at).await,
        VersionsCommand::Note {
            bot,
            version,
            text,
            at,
        } => {
            let api = Api::login(&at.login).await?;
            let path = format!("/spec/{version}?botId={}", segment(&bot));
            let noted = api.patch(&path, json!({ "note": text })).await?.ok()?;
            let done = if text.is_empty() {
                "has no note"
            } else {
                "is noted"
            };
            tell(at.json, &noted, format!("version {version} of {bot} {done}"));
            Ok(())
        }
    }
}

async fn list(args: &NewestArgs) -> CommandResult {
    let api = Api::login(&args.at.login).await?;
    let path = format!("/spec?botId={}", segment(&args.bot));
    let mut versions = newest(&api, &path, args.limit).await?;
    if !args.at.json {
        let live = live(&api, &args.bot).await?;
        for version in &mut versions {
            if live.is_some() && version["version"].as_u64() == live {
                version["live"] = "live".into();
            }
            if let Some(note) = version["note"].as_str() {
                version["note"] = note.split_whitespace().collect::<Vec<_>>().join(" ").into();
            }
        }
    }
    let columns = [
        ("VERSION", "/version"),
        ("LIVE", "/live"),
        ("WHEN", "/createdAt"),
        ("RESTORES", "/restoredFrom"),
        ("NOTE", "/note"),
    ];
    show(&versions, args.at.json, &columns);
    Ok(())
}

/// The version that is live.
async fn live(api: &Api, bot: &str) -> Result<Option<u64>, CommandError> {
    let bot = api.get(&format!("/bots/{}", segment(bot))).await?.ok()?;
    match bot["activeRevHash"].as_str() {
        Some(revision) => version_of(api, revision).await.map(Some),
        None => Ok(None),
    }
}

/// A spec as files hold it; one in a format of a newer server as it came.
fn pretty(spec: &Value) -> Result<String, CommandError> {
    let text = match serde_json::from_value::<BotSpec>(spec.clone()) {
        Ok(known) => serde_json::to_string_pretty(&known),
        Err(_) => serde_json::to_string_pretty(spec),
    };
    text.map_err(|error| CommandError::Other(error.to_string()))
}

/// Says how two versions differ. Fails as `botloom diff` does if they do.
async fn diff(api: &Api, bot: &str, between: (Option<u32>, Option<u32>), json: bool) -> CommandResult {
    let from = match between.0 {
        Some(from) => from.into(),
        None => live(api, bot).await?.ok_or_else(|| {
            CommandError::Other(format!("no version of {bot} is live; say from which to compare"))
        })?,
    };
    let to = match between.1 {
        Some(to) => to.into(),
        None => newest_version(api, bot).await?,
    };
    let path = format!("/spec/diff?botId={}&from={from}&to={to}", segment(bot));
    let found = api.get(&path).await?.ok()?;
    let changes = found["changes"].as_array().map_or(&[][..], Vec::as_slice);
    let is_same = found["patch"].as_array().is_none_or(Vec::is_empty);
    if json {
        say(format!("{found:#}"));
    } else if is_same {
        say(format!("{bot}: versions {from} and {to} are the same"));
    } else {
        say(format!("{bot}: from version {from} to version {to}"));
        for change in changes {
            say(format!("  {}", change["message"].as_str().unwrap_or_default()));
        }
    }
    if is_same {
        Ok(())
    } else {
        Err(CommandError::Differences)
    }
}

async fn restore(bot: &str, version: u32, note: Option<&str>, at: &At) -> CommandResult {
    let api = Api::login(&at.login).await?;
    let mut query = Serializer::new(String::new());
    query.append_pair("botId", bot);
    if let Some(note) = note {
        query.append_pair("note", note);
    }
    let path = format!("/spec/{version}/restore?{}", query.finish());
    let answer = api.post(&path, Value::Null).await?;
    let is_new = answer.status == StatusCode::CREATED;
    let latest = answer.ok()?;
    let number = &latest["version"];
    let words = if is_new {
        format!("version {number} has the content of version {version}; `botloom deploy {bot}` makes it live")
    } else {
        format!("version {number} is the newest one and has this content already")
    };
    tell(at.json, &latest, words);
    Ok(())
}
