//! `botloom bots`: bots as a whole.

mod export;
mod exported;
mod import;

use serde_json::{Value, json};

use super::apply::create;
use super::going_live;
use super::listing::{self, named_project, show, tell};
use crate::api_client::Api;
use crate::cli::bots::{At, BotsCommand};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

const FIELDS: [(&str, &str); 10] = [
    ("BOT", "/botId"),
    ("NAME", "/name"),
    ("PROJECT", "/projectId"),
    ("LIVE", "/activeRevHash"),
    ("VERSION", "/activeVersion"),
    ("EPOCH", "/epoch"),
    ("TELEGRAM", "/telegram/username"),
    ("INGRESS", "/telegram/ingress"),
    ("PAUSED", "/pausedAt"),
    ("STAGING OF", "/stagingOf"),
];

/// Runs one of the commands.
pub(crate) async fn bots(command: BotsCommand) -> CommandResult {
    match command {
        BotsCommand::List { project, at } => {
            let api = Api::login(&at.login).await?;
            let project = named_project(&api, project.as_deref()).await?;
            let columns = [
                "BOT",
                "NAME",
                "EPOCH",
                "TELEGRAM",
                "INGRESS",
                "PAUSED",
                "STAGING OF",
            ];
            let columns: Vec<_> = FIELDS
                .into_iter()
                .filter(|(title, _)| columns.contains(title))
                .collect();
            show(&listing::bots(&api, project.as_deref()).await?, at.json, &columns);
        }
        BotsCommand::Show { bot, at } => {
            let api = Api::login(&at.login).await?;
            let mut bot = api.get(&format!("/bots/{bot}")).await?.ok()?;
            if let Some(revision) = bot["activeRevHash"].as_str() {
                bot["activeVersion"] = going_live::version_of(&api, revision).await?.into();
            }
            describe(&bot, &at);
        }
        BotsCommand::Create {
            bot,
            name,
            project,
            staging_of,
            at,
        } => {
            let api = Api::login(&at.login).await?;
            let project = named_project(&api, project.as_deref()).await?;
            let name = name.unwrap_or_else(|| bot.clone());
            let mut made = create(&api, &bot, &name, project.as_deref()).await?.ok()?;
            if let Some(production) = staging_of {
                made = stage(&api, &bot, &production).await?;
            }
            tell(at.json, &made, format!("bot {bot} created"));
        }
        BotsCommand::Rename { bot, name, at } => {
            let api = Api::login(&at.login).await?;
            let path = format!("/bots/{bot}");
            let renamed = api.patch(&path, json!({ "name": name })).await?.ok()?;
            tell(at.json, &renamed, format!("{bot} is called {name} now"));
        }
        BotsCommand::ReplaceToken { bot, at } => {
            let api = Api::login(&at.login).await?;
            let path = format!("/bots/{bot}/managed/token");
            let replaced = api.post(&path, Value::Null).await?.ok()?;
            tell(at.json, &replaced, format!("the token of {bot} was replaced"));
        }
        BotsCommand::Pause { bot, at } => switch(&bot, "pause", "paused", &at).await?,
        BotsCommand::Resume { bot, at } => switch(&bot, "resume", "not paused", &at).await?,
        BotsCommand::Stage {
            staging,
            production,
            at,
        } => {
            let api = Api::login(&at.login).await?;
            let staged = stage(&api, &staging, &production).await?;
            tell(
                at.json,
                &staged,
                format!("{staging} is the staging bot of {production}"),
            );
        }
        BotsCommand::Unstage { bot, at } => {
            let api = Api::login(&at.login).await?;
            let freed = api.delete(&format!("/bots/{bot}/staging-of")).await?.ok()?;
            tell(at.json, &freed, format!("{bot} is no staging bot"));
        }
        BotsCommand::Export { bot, file, at } => {
            let api = Api::login(&at.login).await?;
            let written = export::export(&api, &bot, &file).await?;
            tell(at.json, &written, format!("{bot} is in {}", file.display()));
        }
        BotsCommand::Import {
            file,
            new_id,
            project,
            at,
        } => {
            let api = Api::login(&at.login).await?;
            let project = named_project(&api, project.as_deref()).await?;
            let made = import::import(&api, &file, new_id, project).await?;
            let (bot, versions) = (made["botId"].as_str().unwrap_or_default(), &made["versions"]);
            tell(at.json, &made, format!("bot {bot} created, versions: {versions}"));
        }
        BotsCommand::Delete { bot, export, at, .. } => {
            let api = Api::login(&at.login).await?;
            if let Some(file) = &export {
                export::export(&api, &bot, file).await?;
                if !at.json {
                    say(format!("{bot} is in {}", file.display()));
                }
            }
            api.delete(&format!("/bots/{bot}")).await?.ok()?;
            tell(at.json, &json!({}), format!("{bot} is deleted"));
        }
    }
    Ok(())
}

async fn stage(api: &Api, staging: &str, production: &str) -> Result<Value, CommandError> {
    let path = format!("/bots/{staging}/staging-of");
    api.put(&path, json!({ "botId": production })).await?.ok()
}

async fn switch(bot: &str, how: &str, since: &str, at: &At) -> CommandResult {
    let api = Api::login(&at.login).await?;
    let switched = api.post(&format!("/bots/{bot}/{how}"), json!({})).await?.ok()?;
    tell(at.json, &switched, format!("{bot} is {since}"));
    Ok(())
}

fn describe(bot: &Value, at: &At) {
    if at.json {
        say(bot);
        return;
    }
    for (title, pointer) in FIELDS {
        match bot.pointer(pointer) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => say(format!("{title:<11} {text}")),
            Some(other) => say(format!("{title:<11} {other}")),
        }
    }
    if bot["production"]["behind"] == true {
        let id = bot["botId"].as_str().unwrap_or_default();
        say(format!("{:<11} production is behind: botloom promote {id}", ""));
    }
    if let Some(waiting) = bot["waitingUpdates"].as_u64() {
        say(format!("{:<11} {waiting} updates", "WAITING"));
    }
}
