//! Telegram bots that people have made for bots here, through the manager bot of the installation.

use uuid::Uuid;

use crate::ids::{BotId, UserId};
use crate::time::TimestampMs;

/// Somebody at Telegram, as an update tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelegramAccount {
    /// Telegram's user id.
    pub id: i64,
    /// Shown name.
    pub first_name: String,
    /// Name without `@`, if there is one.
    pub username: Option<String>,
}

/// A Telegram bot that somebody made, and who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedBot {
    /// Telegram's user id of the bot.
    pub id: i64,
    /// Who made it.
    pub creator: TelegramAccount,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedOutcome {
    /// The bot has the token.
    Attached(TimestampMs),
    /// It cannot have it, in words.
    Failed(String),
}

/// Somebody's wish for a Telegram bot for a bot here. A bot has one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedRequest {
    /// The bot.
    pub bot: BotId,
    /// Who asked.
    pub user: UserId,
    /// The HTTP request with which they asked, for the audit log.
    pub request: Uuid,
    /// Username of the Telegram bot to be made, in lower case: what an update is recognised by.
    pub username: String,
    /// Where the bot is made.
    pub link: String,
    /// When.
    pub created_at: TimestampMs,
    /// A bot that is told of later is not taken.
    pub expires_at: TimestampMs,
    /// The bot that was made.
    pub made: Option<ManagedBot>,
    /// How it ended.
    pub outcome: Option<ManagedOutcome>,
}
