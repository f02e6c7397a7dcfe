//! Port: what was set aside.

use std::fmt::{self, Debug};
use std::str::FromStr;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Page, PageRequest, StoreResult};
use crate::ids::{BotId, ChatId, InvalidId};
use crate::time::TimestampMs;

/// Which way it was going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// An update (`dlq:in`).
    In,
    /// A message (`dlq:out`).
    Out,
}

impl Direction {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Direction {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "in" => Ok(Self::In),
            "out" => Ok(Self::Out),
            _ => Err(InvalidId { what: "direction" }),
        }
    }
}

/// Stable reasons that the runtime itself gives; Telegram's refusals have reasons of their own (`telegram-400` …).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// The lane was at its cap.
    Overflow,
    /// The body was not an update.
    Malformed,
    /// The update outlived what Telegram accepts as an answer.
    Expired,
    /// A person took it out of the way of those behind it.
    ByHand,
}

impl DeadLetterReason {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::ByHand => "by-hand",
        }
    }
}

/// Something to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeadLetter {
    /// The bot.
    pub bot: BotId,
    /// The chat, if it is known.
    pub chat: Option<ChatId>,
    /// Stable reason.
    pub reason: String,
    /// In words for the author.
    pub detail: String,
    /// The update, as far as it was read (at most 64 KiB).
    pub body: Bytes,
    /// When.
    pub at: TimestampMs,
}

/// Something that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Id, unique for ever.
    pub id: String,
    /// Which way it was going.
    pub direction: Direction,
    /// What.
    pub letter: NewDeadLetter,
    /// How often it was tried.
    pub attempts: u32,
}

/// Which way a list of dead letters goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LetterOrder {
    /// From the newest back: for looking.
    #[default]
    NewestFirst,
    /// From the oldest on: the order in which they are to be replayed.
    OldestFirst,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterQuery {
    /// Which way they were going.
    pub direction: Direction,
    /// Of this chat only.
    pub chat: Option<ChatId>,
    /// With this reason only.
    pub reason: Option<String>,
    /// In which order.
    pub order: LetterOrder,
}

impl LetterQuery {
    /// All of a direction, newest first.
    pub const fn all(direction: Direction) -> Self {
        Self {
            direction,
            chat: None,
            reason: None,
            order: LetterOrder::NewestFirst,
        }
    }

    /// Whether it leaves any letter of its direction out.
    pub const fn is_filter(&self) -> bool {
        self.chat.is_some() || self.reason.is_some()
    }

    /// Whether a letter of its direction with this chat and reason is meant.
    pub fn means(&self, chat: Option<&ChatId>, reason: &str) -> bool {
        self.chat.as_ref().is_none_or(|wanted| chat == Some(wanted))
            && self.reason.as_ref().is_none_or(|wanted| reason == wanted)
    }
}

/// How many dead letters are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterCount {
    /// So many were found.
    pub letters: u64,
    /// Whether there may be more: the store did not look through all that the query could mean.
    pub at_least: bool,
}

impl LetterCount {
    /// So many and no more.
    pub const fn exactly(letters: u64) -> Self {
        Self {
            letters,
            at_least: false,
        }
    }
}

/// Dead letters of both directions.
#[async_trait]
pub trait DeadLetters: Debug + Send + Sync {
    /// Sets an update aside at the door; answers its id. Durable when it returns.
    async fn set_aside(&self, letter: NewDeadLetter) -> StoreResult<String>;

    /// Those that are meant, in the order asked for. A cursor that is none lists nothing. A page of a filter may be short,
    /// or empty, while its cursor says that there is more.
    async fn letters(
        &self,
        bot: &BotId,
        query: &LetterQuery,
        page: &PageRequest,
    ) -> StoreResult<Page<DeadLetter>>;

    /// How many are meant. No store looks through more than some [`super::LaneLimits::dead_letter_cap`] letters for it.
    async fn count(&self, bot: &BotId, query: &LetterQuery) -> StoreResult<LetterCount>;

    /// All of a direction, newest first.
    async fn dead_letters(
        &self,
        bot: &BotId,
        direction: Direction,
        page: &PageRequest,
    ) -> StoreResult<Page<DeadLetter>> {
        self.letters(bot, &LetterQuery::all(direction), page).await
    }

    /// One, by id.
    async fn dead_letter(&self, bot: &BotId, id: &str) -> StoreResult<Option<DeadLetter>>;

    /// Puts it back at the end of its lane (an update, under the dedup key `replay:<id>`) or outbox (a message) and
    /// deletes it: one atomic step. `false` if there is none, or it has no chat to go back to.
    /// [`super::StoreError::Full`] if its lane is at its cap: nothing changed. A message loses its `not_after`: who
    /// replays it wants it sent now.
    async fn replay(&self, bot: &BotId, id: &str) -> StoreResult<bool>;

    /// Deletes it; answers whether it was there.
    async fn discard(&self, bot: &BotId, id: &str) -> StoreResult<bool>;
}
