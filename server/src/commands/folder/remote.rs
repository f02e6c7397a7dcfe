//! What the server has.

use botloom_spec::model::BotSpec;
use http::StatusCode;
use serde_json::Value;

use crate::api_client::Api;
use crate::error::CommandError;

/// The newest version of a bot's spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) version: u64,
    pub(super) spec_hash: String,
}

impl Newest {
    /// As the API shows it in lists and when it stored one.
    pub(super) fn of(shown: &Value) -> Result<Self, CommandError> {
        let version = shown["version"].as_u64();
        let spec_hash = shown["specHash"].as_str();
        match (version, spec_hash) {
            (Some(version), Some(hash)) => Ok(Self {
                version,
                spec_hash: hash.to_owned(),
            }),
            _ => Err(CommandError::Api(
                "the server's answer names no version of a spec".to_owned(),
            )),
        }
    }
}

/// The newest version of a bot, `None` if there is no such bot, or it has no version.
pub(super) async fn newest(api: &Api, bot: &str) -> Result<Option<Newest>, CommandError> {
    let answer = api.get(&format!("/spec?botId={bot}&limit=1")).await?;
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let list = answer.ok()?;
    list["items"].get(0).map(Newest::of).transpose()
}

/// The content of a version.
pub(super) async fn spec(api: &Api, bot: &str, version: u64) -> Result<BotSpec, CommandError> {
    let body = api.get(&format!("/spec/{version}?botId={bot}")).await?.ok()?;
    serde_json::from_value(body).map_err(|error| {
        CommandError::Api(format!(
            "version {version} of {bot} is in a format that this program does not know ({error})"
        ))
    })
}
