//! What was published of a bot outside of its chats: commands and descriptions.

use std::collections::BTreeMap;

use crate::hash::RevHash;
use crate::time::TimestampMs;

/// What Telegram keeps of a bot's profile, as far as this installation put it there, and how publishing does.
///
/// It belongs to the bot at Telegram, not to the one here: a fresh token changes nothing of it, and another Telegram bot
/// has a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileRow {
    /// Telegram's user id of the bot.
    pub telegram_id: i64,
    /// By item (`description:de`): digest of the value that was published; empty where it is not known whether, or
    /// which value, Telegram has.
    pub published: BTreeMap<String, String>,
    /// The revision whose profile was published, or refused for good.
    pub settled: Option<RevHash>,
    /// When Telegram last had everything that a revision says.
    pub published_at: Option<TimestampMs>,
    /// What went wrong last, in words for the author.
    pub failure: Option<String>,
    /// Tries in a row that did not get through.
    pub attempts: u32,
    /// Nobody takes it up before: a pause after a failure, or the claim of whoever is at it.
    pub due_at: TimestampMs,
    /// Grows with every change.
    pub version: i64,
}
