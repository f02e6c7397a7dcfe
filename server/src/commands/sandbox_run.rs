//! `botloom sandbox-run`: one call of a program in a real sandbox worker.

use std::path::Path;

use botloom_core::time::{Clock as _, SystemClock};
use botloom_runtime::sandbox::{self, CallOptions, PoolOptions, Source};

use crate::config::Config;
use crate::error::{self, CommandError, CommandResult};
use crate::terminal::say;

/// Argument of `handle` when none is given: somebody starts the bot.
const START: &str = r#"{
  "event": {"updateId": 1, "type": "message", "text": "/start", "command": "start", "args": ""},
  "context": {
    "user": {"id": 1, "firstName": "Ada", "lastName": null, "username": null, "languageCode": "en"},
    "chat": {"id": 1, "type": "private", "title": null},
    "message": {"id": 1, "date": 1795200000},
    "now": "2026-11-20T18:40:00.000Z",
    "bot": {"username": null}
  }
}"#;

/// Runs a module, or the body of a handler, and prints `{outcome, wallMs, result}`.
pub(crate) async fn sandbox_run(
    config: Option<&Path>,
    file: &Path,
    body: bool,
    input: Option<&str>,
) -> CommandResult {
    let config = Config::load(config)?;
    let text = String::from_utf8(error::read(file)?)
        .map_err(|_| CommandError::Other(format!("{} is not UTF-8 text", file.display())))?;
    let input = input.unwrap_or(START);
    let parsed: serde_json::Value =
        serde_json::from_str(input).map_err(|error| CommandError::Other(format!("--input: {error}")))?;
    if !parsed.is_object() {
        return Err(CommandError::Other("--input: must be a JSON object".to_owned()));
    }
    let source = Source::text(if body { sandbox::wrap_body(&text) } else { text });
    let options = PoolOptions::with_budget(config.sandbox.budget);
    let call = CallOptions {
        budget: None,
        seed: 0,
        now: SystemClock.now(),
        fresh: true,
    };
    let ran = sandbox::one_shot(options, &source, input.to_owned(), call).await;
    let ran = ran.map_err(|error| CommandError::Other(error.to_string()))?;
    say(serde_json::to_string(&ran).unwrap_or_default());
    Ok(())
}
