//! A bot and how it is connected to Telegram.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, InvalidId, ProjectId};
use crate::time::TimestampMs;
use crate::vault::SecretContext;

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

/// A secret of a bot as [`Vault::seal`](crate::vault::Vault::seal) made it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedToken(pub Vec<u8>);

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
    /// Secret of the webhook, sealed with the context [`BotRow::webhook_context`].
    pub webhook_secret: Option<SealedToken>,
    /// Why the runtime stopped sending (`token-revoked`), until a new token is set.
    pub suspended: Option<String>,
    /// Since when its updates wait; `None`: they do not.
    pub paused_at: Option<TimestampMs>,
    /// The bot for which it tries new versions out: this one is the staging bot of that one.
    pub staging_of: Option<BotId>,
    /// Set when the bot was deleted; its id stays taken.
    pub deleted_at: Option<TimestampMs>,
    /// When it was made.
    pub created_at: TimestampMs,
    /// Grows with every change of the row except activations.
    pub version: i64,
}

impl BotRow {
    /// What its token is sealed as.
    pub fn token_context(&self) -> SecretContext<'_> {
        self.context("bot-token")
    }

    /// What its webhook secret is sealed as.
    pub fn webhook_context(&self) -> SecretContext<'_> {
        self.context("webhook-secret")
    }

    fn context(&self, purpose: &'static str) -> SecretContext<'_> {
        SecretContext::Bot {
            purpose,
            project: self.project,
            bot: &self.id,
        }
    }
}
