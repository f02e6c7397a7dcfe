//! Bots of the server whose files were deleted here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::files::LocalSpec;
use super::lock::Lock;
use super::remote;
use crate::api_client::Api;
use crate::error::CommandError;

/// A bot that the lock names, that lives, and that has no file any more. Nothing is done about it: deleting a file is no
/// wish to delete a bot with its chats.
pub(super) struct Fileless {
    bot: String,
    version: u64,
}

impl Fileless {
    pub(super) fn words(&self) -> String {
        format!(
            "{0}  file deleted here, but the bot is still on the server: `botloom bots delete {0}`, or `botloom pull` writes \
             the file again",
            self.bot
        )
    }

    /// As an entry of a list; `key` is what the list calls the state of a bot.
    pub(super) fn json(&self, key: &str) -> Value {
        json!({ "botId": self.bot, "version": self.version, key: "no-file" })
    }
}

/// Every such bot of the folder.
pub(super) async fn find(
    api: &Api,
    lock: &Lock,
    specs: &BTreeMap<String, LocalSpec>,
) -> Result<Vec<Fileless>, CommandError> {
    let mut found = Vec::new();
    for bot in lock.bots().filter(|bot| !specs.contains_key(*bot)) {
        if let Some(newest) = remote::newest(api, bot).await? {
            found.push(Fileless {
                bot: bot.to_owned(),
                version: newest.version,
            });
        }
    }
    Ok(found)
}
