//! A bot and how it is connected to Telegram.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, InvalidId, ProjectId};
use crate::time::TimestampMs;

/// How updates reach a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IngressMode {
    /// Telegram posts to `/wh/<botId>`.
    Webhook,
    /// The runtime asks with `getUpdates`.
    Polling,
}

impl IngressMode {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Polling => "polling",
        }
    }
}

impl fmt::Display for IngressMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IngressMode {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "webhook" => Ok(Self::Webhook),
            "polling" => Ok(Self::Polling),
            _ => Err(InvalidId { what: "ingress" }),
        }
    }
}

/// A bot token under the master key; opens with the context [`SealedToken::context`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken(pub Vec<u8>);

impl SealedToken {
    /// Associated data of a bot's token.
    pub fn context(bot: &BotId) -> String {
        format!("bot-token:{bot}")
    }
}

impl fmt::Debug for SealedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedToken(***)")
    }
}

/// The bot as `getMe` told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelegramIdentity {
    /// Telegram's user id of the bot.
    pub id: i64,
    /// Name without `@`.
    pub username: String,
}

/// A bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRow {
    /// Slug.
    pub id: BotId,
    /// Whose.
    pub project: ProjectId,
    /// For people.
    pub name: String,
    /// Revision that is live.
    pub active_rev: Option<RevHash>,
    /// Number of the last activation; 0 before the first.
    pub epoch: Epoch,
    /// Sealed token.
    pub token: Option<SealedToken>,
    /// What Telegram said of the token.
    pub identity: Option<TelegramIdentity>,
    /// How it takes updates; `None` when disconnected.
    pub ingress: Option<IngressMode>,
    /// Secret of the webhook, sealed with the context [`BotRow::webhook_secret_context`].
    pub webhook_secret: Option<SealedToken>,
    /// Why the runtime stopped sending (`token-revoked`), until a new token is set.
    pub suspended: Option<String>,
    /// Since when its updates wait; `None`: they do not.
    pub paused_at: Option<TimestampMs>,
    /// Set when the bot was deleted; its id stays taken.
    pub deleted_at: Option<TimestampMs>,
    /// When it was made.
    pub created_at: TimestampMs,
    /// Grows with every change of the row except activations.
    pub version: i64,
}

impl BotRow {
    /// Associated data of a bot's webhook secret.
    pub fn webhook_secret_context(bot: &BotId) -> String {
        format!("webhook-secret:{bot}")
    }
}
