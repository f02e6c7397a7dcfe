//! `botloom dead-letters`: what was set aside, and its way back.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::listing::{everything, segment, show};
use crate::api_client::Api;
use crate::cli::operating::{DeadLettersCommand, DirectionArg, LetterFilter, Letters};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Most ids of one request.
const AT_ONCE: usize = 200;

/// Runs one of the commands.
pub(crate) async fn dead_letters(command: DeadLettersCommand) -> CommandResult {
    match command {
        DeadLettersCommand::List { bot, filter, shown } => {
            let api = Api::login(&shown.login).await?;
            let mut query = Serializer::new(String::new());
            query.append_pair("direction", direction(&filter));
            for (name, value) in [("chatId", &filter.chat), ("reason", &filter.reason)] {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
            let path = format!("/bots/{}/dead-letters?{}", segment(&bot), query.finish());
            let columns = [
                ("ID", "/id"),
                ("WHEN", "/at"),
                ("CHAT", "/chatId"),
                ("REASON", "/reason"),
                ("TRIES", "/attempts"),
                ("DETAIL", "/detail"),
            ];
            show(&everything(&api, &path).await?, shown.json, &columns);
            Ok(())
        }
        DeadLettersCommand::Show { bot, id, login } => {
            let api = Api::login(&login).await?;
            let path = format!("/bots/{}/dead-letters/{}", segment(&bot), segment(&id));
            let found = api.get(&path).await?.ok()?;
            say(format!("{found:#}"));
            Ok(())
        }
        DeadLettersCommand::Replay(letters) => handle(&letters, "replay").await,
        DeadLettersCommand::Discard(letters) => handle(&letters, "discard").await,
    }
}

fn direction(filter: &LetterFilter) -> &'static str {
    match filter.direction {
        DirectionArg::In => "in",
        DirectionArg::Out => "out",
    }
}

/// Handles them request by request, to the last.
async fn handle(letters: &Letters, what: &str) -> CommandResult {
    let api = Api::login(&letters.shown.login).await?;
    let path = format!("/bots/{}/dead-letters/{what}", segment(&letters.bot));
    let mut results = Vec::new();
    let left = if letters.all {
        let mut cursor = Value::Null;
        loop {
            let body = json!({
                "direction": direction(&letters.filter), "chatId": letters.filter.chat,
                "reason": letters.filter.reason, "limit": AT_ONCE, "cursor": cursor,
            });
            let answer = api.post(&path, body).await?.ok()?;
            keep(&mut results, &answer);
            cursor = answer["nextCursor"].clone();
            if cursor.is_null() {
                let more = if answer["atLeast"] == true { " or more" } else { "" };
                break format!("{}{more}", answer["left"].as_u64().unwrap_or(0));
            }
        }
    } else {
        for ids in letters.ids.chunks(AT_ONCE) {
            let answer = api.post(&path, json!({ "ids": ids })).await?.ok()?;
            keep(&mut results, &answer);
            if answer["results"].as_array().into_iter().flatten().any(holds_back) {
                break;
            }
        }
        (letters.ids.len() - results.len()).to_string()
    };
    show(
        &results,
        letters.shown.json,
        &[("ID", "/id"), ("OUTCOME", "/outcome")],
    );
    let done = |result: &&Value| matches!(result["outcome"].as_str(), Some("replayed" | "discarded"));
    let stayed = results.len() - results.iter().filter(done).count();
    if stayed == 0 {
        Ok(())
    } else {
        Err(CommandError::Other(format!(
            "{stayed} of {} could not be handled; {left} are left",
            results.len()
        )))
    }
}

/// Whether it stays, and those behind it must not overtake it.
fn holds_back(result: &Value) -> bool {
    matches!(
        result["outcome"].as_str(),
        Some("chat-full" | "failed" | "not-tried")
    )
}

fn keep(results: &mut Vec<Value>, answer: &Value) {
    results.extend(answer["results"].as_array().into_iter().flatten().cloned());
}
