//! Methods that Botloom itself needs, typed. All others go through [`Client::call_raw`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::Client;
use crate::{CallError, Token};

/// Time that a long poll's answer may take on top of the poll itself.
const POLL_GRACE: Duration = Duration::from_secs(15);

/// The bot itself, as `getMe` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The bot's user id, the number in its token.
    pub id: i64,
    /// Shown name.
    pub first_name: String,
    /// Name without `@`. Every bot has one.
    pub username: String,
    /// Whether it can be added to groups.
    #[serde(default)]
    pub can_join_groups: bool,
    /// Whether it sees every message of a group (privacy mode off).
    #[serde(default)]
    pub can_read_all_group_messages: bool,
    /// Whether it answers inline queries.
    #[serde(default)]
    pub supports_inline_queries: bool,
    /// Whether people can make bots that it manages.
    #[serde(default)]
    pub can_manage_bots: bool,
}

/// Parameters of `setWebhook`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SetWebhook<'a> {
    /// HTTPS address with port 443, 80, 88 or 8443. Empty removes the webhook.
    pub url: &'a str,
    /// 1 to 256 of `A-Z a-z 0-9 _ -`; comes back with every update in `X-Telegram-Bot-Api-Secret-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_token: Option<&'a str>,
    /// Deliveries at a time, 1 to 100; Telegram's default is 40.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u8>,
    /// Update kinds wanted; empty: all but the three that must be asked for. Remembered by Telegram until changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_updates: Option<&'a [&'a str]>,
    /// Whether to throw waiting updates away.
    pub drop_pending_updates: bool,
}

/// What Telegram knows of the bot's webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookInfo {
    /// Empty: none is set.
    pub url: String,
    /// Updates that wait for delivery.
    pub pending_update_count: u64,
    /// Deliveries at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// Moment of the last failed delivery, Unix seconds. Success does not clear it: "failing" is a fresh date together
    /// with growing `pending_update_count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_date: Option<i64>,
    /// What failed then, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_message: Option<String>,
    /// Where the name resolved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// Subscribed kinds where they are not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_updates: Option<Vec<String>>,
}

/// Parameters of `getUpdates`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GetUpdates<'a> {
    /// First update wanted: one more than the last id that is safely stored. Confirms all before it. 0: from the
    /// oldest.
    pub offset: i64,
    /// 1 to 100; 0 leaves it to Telegram (100).
    pub limit: u8,
    /// Seconds to wait for an update, at most 50.
    pub timeout_secs: u8,
    /// As in [`SetWebhook`].
    pub allowed_updates: Option<&'a [&'a str]>,
}

/// A command as people see it in the menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotCommand {
    /// 1 to 32 of `a-z 0-9 _`, without the slash.
    pub command: String,
    /// 1 to 256 characters.
    pub description: String,
}

impl Client {
    /// Who this token belongs to. The usual check of a token.
    pub async fn get_me(&self, token: &Token) -> Result<Me, CallError> {
        self.call(token, "getMe", &json!({})).await
    }

    /// Has updates posted to an address from now on. Setting the same again changes nothing. Telegram takes at most one
    /// change a second.
    pub async fn set_webhook(&self, token: &Token, webhook: &SetWebhook<'_>) -> Result<(), CallError> {
        self.done(token, "setWebhook", webhook).await
    }

    /// Stops posting updates. Waiting ones are kept (up to a day) unless they are to be dropped.
    pub async fn delete_webhook(&self, token: &Token, drop_pending_updates: bool) -> Result<(), CallError> {
        self.done(
            token,
            "deleteWebhook",
            &json!({ "drop_pending_updates": drop_pending_updates }),
        )
        .await
    }

    /// How the webhook does.
    pub async fn get_webhook_info(&self, token: &Token) -> Result<WebhookInfo, CallError> {
        self.call(token, "getWebhookInfo", &json!({})).await
    }

    /// Waits for updates and gives each as its JSON text, oldest first; none after `timeout_secs` without one.
    pub async fn get_updates(
        &self,
        token: &Token,
        poll: GetUpdates<'_>,
    ) -> Result<Vec<Box<RawValue>>, CallError> {
        let mut params = json!({ "offset": poll.offset, "timeout": poll.timeout_secs });
        if poll.limit > 0 {
            params["limit"] = poll.limit.into();
        }
        if let Some(kinds) = poll.allowed_updates {
            params["allowed_updates"] = kinds.into();
        }
        let timeout = Duration::from_secs(poll.timeout_secs.into()) + POLL_GRACE;
        self.call_within(token, "getUpdates", &params, timeout).await
    }

    /// Sets the command menu, for one language or (with `None`) for all without a menu of their own. No commands: the
    /// menu is removed.
    pub async fn set_my_commands(
        &self,
        token: &Token,
        commands: &[BotCommand],
        language_code: Option<&str>,
    ) -> Result<(), CallError> {
        let params = json!({ "commands": commands, "language_code": language_code.unwrap_or("") });
        self.done(token, "setMyCommands", &params).await
    }

    /// Removes the command menu of one language, or the one for all without a menu of their own.
    pub async fn delete_my_commands(
        &self,
        token: &Token,
        language_code: Option<&str>,
    ) -> Result<(), CallError> {
        let params = json!({ "language_code": language_code.unwrap_or("") });
        self.done(token, "deleteMyCommands", &params).await
    }

    /// Sets the text of an empty chat with the bot, up to 512 characters; languages as in [`Self::set_my_commands`].
    pub async fn set_my_description(
        &self,
        token: &Token,
        description: &str,
        language_code: Option<&str>,
    ) -> Result<(), CallError> {
        let params = json!({ "description": description, "language_code": language_code.unwrap_or("") });
        self.done(token, "setMyDescription", &params).await
    }

    /// Sets the text of the bot's profile and of shared links to it, up to 120 characters; languages as in
    /// [`Self::set_my_commands`].
    pub async fn set_my_short_description(
        &self,
        token: &Token,
        short_description: &str,
        language_code: Option<&str>,
    ) -> Result<(), CallError> {
        let params =
            json!({ "short_description": short_description, "language_code": language_code.unwrap_or("") });
        self.done(token, "setMyShortDescription", &params).await
    }

    /// The token of a bot that this one manages.
    pub async fn get_managed_bot_token(&self, token: &Token, managed: i64) -> Result<String, CallError> {
        self.call(token, "getManagedBotToken", &json!({ "user_id": managed }))
            .await
    }

    /// Gives a bot that this one manages another token, and answers it; the one before is no use any more.
    pub async fn replace_managed_bot_token(&self, token: &Token, managed: i64) -> Result<String, CallError> {
        self.call(token, "replaceManagedBotToken", &json!({ "user_id": managed }))
            .await
    }

    /// The path of a file, for [`Client::download`]. Telegram refuses files above 20 MiB; the path works for an hour.
    pub async fn get_file_path(&self, token: &Token, file_id: &str) -> Result<String, CallError> {
        #[derive(Deserialize)]
        struct File {
            file_path: String,
        }
        let file: File = self
            .call(token, "getFile", &json!({ "file_id": file_id }))
            .await?;
        Ok(file.file_path)
    }

    async fn done<P: Serialize + Sync>(
        &self,
        token: &Token,
        method: &str,
        params: &P,
    ) -> Result<(), CallError> {
        self.call::<P, bool>(token, method, params).await.map(|_| ())
    }
}
