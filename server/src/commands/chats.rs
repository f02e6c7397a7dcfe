//! `botloom chats`: what waits in the chats of a bot, and helping one that is stuck.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::listing::{everything, segment, show};
use crate::api_client::Api;
use crate::cli::operating::ChatsCommand;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Runs one of the commands.
pub(crate) async fn chats(command: ChatsCommand) -> CommandResult {
    match command {
        ChatsCommand::List { bot, place, shown } => {
            let api = Api::login(&shown.login).await?;
            let mut path = format!("/bots/{}/chats", segment(&bot));
            if let Some(place) = name(place) {
                path = format!("{path}?place={place}");
            }
            let columns = [
                ("CHAT", "/chatId"),
                ("UPDATES", "/updates/waiting"),
                ("PLACE", "/updates/place"),
                ("OLDEST", "/updates/oldestAt"),
                ("TRIES", "/updates/attempts"),
                ("MESSAGES", "/messages/waiting"),
                ("PLACE", "/messages/place"),
                ("UNTIL", "/messages/until"),
                ("BECAUSE", "/messages/because"),
            ];
            show(&everything(&api, &path).await?, shown.json, &columns);
        }
        ChatsCommand::Show { bot, chat, login } => {
            let api = Api::login(&login).await?;
            let found = api.get(&address(&bot, &chat)).await?.ok()?;
            say(format!("{found:#}"));
        }
        ChatsCommand::Unblock {
            bot,
            chat,
            update,
            message,
            shown,
        } => {
            let api = Api::login(&shown.login).await?;
            let body = json!({ "update": name(update), "message": name(message) });
            let path = format!("{}/unblock", address(&bot, &chat));
            let done = api.post(&path, body).await?.ok()?;
            if shown.json {
                say(&done);
            } else {
                tell("update", &done["update"]);
                tell("message", &done["message"]);
            }
            judge(&done)?;
        }
        ChatsCommand::Forget { bot, chat, login } => {
            let api = Api::login(&login).await?;
            api.delete(&format!("{}/state", address(&bot, &chat)))
                .await?
                .ok()?;
            say(format!("chat {chat} of {bot} remembers nothing"));
        }
    }
    Ok(())
}

/// The name of a choice, as the API has it too.
fn name<T: ValueEnum>(choice: Option<T>) -> Option<String> {
    let value = choice?.to_possible_value()?;
    Some(value.get_name().to_owned())
}

fn address(bot: &str, chat: &str) -> String {
    format!("/bots/{}/chats/{}", segment(bot), segment(chat))
}

fn tell(what: &str, freed: &Value) {
    if let Some(outcome) = freed["outcome"].as_str() {
        let more = freed["deadLetterId"].as_str().or(freed["notBefore"].as_str());
        say(format!("{what}: {outcome} {}", more.unwrap_or_default()).trim_end());
    }
}

/// Fails if nothing was done about the update or the message.
fn judge(done: &Value) -> CommandResult {
    let undone = ["update", "message"].into_iter().filter_map(|what| {
        let why = match done[what]["outcome"].as_str()? {
            "retried" | "set-aside" => return None,
            "empty" => "none waits",
            "busy" => "somebody works on it at this moment",
            "not-blocked" => "it has not failed, or is due",
            "not-before" => "Telegram asked to wait",
            other => other,
        };
        Some(format!("nothing was done about the {what}: {why}"))
    });
    let undone: Vec<String> = undone.collect();
    if undone.is_empty() {
        Ok(())
    } else {
        Err(CommandError::NothingDone(undone.join("; ")))
    }
}
