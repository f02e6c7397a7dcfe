//! `botloom new-bot`: a Telegram bot by a link, without a token to copy.

use std::time::Duration;

use serde_json::{Value, json};

use super::apply;
use crate::api_client::Api;
use crate::cli::{Connection, NewBotArgs};
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, prompt, say};

/// How often it is asked whether the bot was made.
const POLL: Duration = Duration::from_millis(500);

/// Asks for a Telegram bot and waits until the bot has its token.
pub(crate) async fn new_bot(args: &NewBotArgs) -> CommandResult {
    let api = Api::login(&args.login).await?;
    let path = format!("/bots/{}/managed", args.bot);
    let mut request = api.post(&path, Value::Null).await?.ok()?;
    say(text(&request, "/link"));
    note(format!(
        "Open it in Telegram and confirm, until {}. Keep the username.",
        text(&request, "/expiresAt")
    ));
    while request["state"] == "waiting" {
        tokio::time::sleep(POLL).await;
        request = api.get(&path).await?.ok()?;
    }
    if request["state"] == "confirm" {
        let account = request["createdBy"]["telegramUserId"].as_i64();
        if !is_theirs(args, &request, account).await? {
            api.delete(&path).await?.ok()?;
            return Err(failed("somebody else made the bot; it was not taken"));
        }
        let confirm = format!("{path}/confirm");
        request = api
            .post(&confirm, json!({ "telegramUserId": account }))
            .await?
            .ok()?;
    }
    match request["state"].as_str() {
        Some("attached") => say(format!("@{} is {}", text(&request, "/username"), args.bot)),
        Some("expired") => return Err(failed("nobody confirmed in time; ask again")),
        _ => return Err(failed(&text(&request, "/failure"))),
    }
    let connection = Connection {
        bot_token: None,
        ingress: args.ingress,
    };
    apply::attach(&api, &args.bot, &connection, say).await
}

/// Whether the account that made the bot is the caller's own.
async fn is_theirs(args: &NewBotArgs, request: &Value, account: Option<i64>) -> Result<bool, CommandError> {
    if args.account.is_some() {
        return Ok(args.account == account);
    }
    let by = &request["createdBy"];
    let username = by["username"]
        .as_str()
        .map_or_else(String::new, |name| format!("@{name}, "));
    prompt(format!(
        "Made by {} ({username}number {}). Is this your Telegram account? [y/N] ",
        text(by, "/firstName"),
        by["telegramUserId"]
    ));
    // On a thread of its own: a signal ends the command meanwhile.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(std::io::Error::other).flatten();
    let answer = answer.map_err(|error| failed(&error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn failed(words: &str) -> CommandError {
    CommandError::Other(words.to_owned())
}
