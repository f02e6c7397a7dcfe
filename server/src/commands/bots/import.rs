//! A bot out of an archive: its versions with their notes, in their order.

use std::collections::HashMap;
use std::path::Path;

use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::exported::Exported;
use crate::api_client::{Answer, Api};
use crate::commands::apply::create;
use crate::error::CommandError;
use crate::terminal::note;

/// Makes the bot and posts its versions.
pub(super) async fn import(
    api: &Api,
    file: &Path,
    new_id: Option<String>,
    project: Option<String>,
) -> Result<Value, CommandError> {
    let copy = Exported::open(file)?;
    let exported = copy.manifest["botId"].as_str().unwrap_or_default();
    let bot = new_id.unwrap_or_else(|| exported.to_owned());
    let name = copy.bot["name"].as_str().unwrap_or(&bot);
    create(api, &bot, name, project.as_deref()).await?.ok()?;
    // A version that is left out shifts those behind it.
    let mut numbers = HashMap::new();
    let mut archive = copy.archive()?;
    while let Some((name, _)) = archive.next_file().map_err(copy.failed())? {
        if !name.starts_with("versions/") {
            continue;
        }
        let content = archive.content().map_err(copy.failed())?;
        let mut version: Value = serde_json::from_slice(&content)
            .map_err(|_| CommandError::Other(format!("{name} of the archive cannot be read")))?;
        version["spec"]["meta"]["botId"] = bot.clone().into();
        let number = version["version"].as_u64().unwrap_or_default();
        let restored = version["restoredFrom"]
            .as_u64()
            .and_then(|from| numbers.get(&from));
        let answer = post(api, &bot, &version, restored.copied()).await?;
        if answer.status == StatusCode::BAD_REQUEST {
            note(format!("version {number} is left out: {}", refused(answer)));
            continue;
        }
        let stored = answer.ok()?["version"].as_u64().unwrap_or_default();
        numbers.insert(number, stored);
    }
    Ok(json!({ "botId": bot, "versions": numbers.len() }))
}

async fn post(api: &Api, bot: &str, version: &Value, restored: Option<u64>) -> Result<Answer, CommandError> {
    let mut query = Serializer::new(String::new());
    if let Some(note) = version["note"].as_str() {
        query.append_pair("note", note);
    }
    let (path, body) = match restored {
        Some(from) => {
            query.append_pair("botId", bot);
            (format!("/spec/{from}/restore?{}", query.finish()), Vec::new())
        }
        None => (
            format!("/spec?{}", query.finish()),
            version["spec"].to_string().into_bytes(),
        ),
    };
    api.post_text(&path, body).await
}

fn refused(answer: Answer) -> String {
    answer
        .ok()
        .err()
        .map_or_else(String::new, |error| error.to_string())
}
