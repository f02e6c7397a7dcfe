//! Port: looking into the lanes of a bot, and helping one that is stuck. For people; nothing here is on the path of an
//! update.

use std::fmt::{self, Debug};
use std::str::FromStr;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::ids::{BotId, ChatId, InvalidId, Lane};
use crate::time::TimestampMs;

/// Where the updates or the messages of a chat stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They wait for somebody to take them.
    Ready,
    /// Somebody works on them.
    Leased {
        /// When the lease ends unless it is prolonged.
        until: TimestampMs,
    },
    /// They wait for a moment.
    Delayed {
        /// When.
        until: TimestampMs,
    },
    /// Messages only: the bot sends nothing.
    Parked {
        /// Before when.
        until: TimestampMs,
    },
}

/// A place in which a chat may be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChatPlace {
    /// Updates wait for a worker.
    Queued,
    /// Updates are being worked on.
    Running,
    /// The first update failed; it and those behind it wait for its next try.
    Retrying,
    /// Messages wait for a sender.
    Outgoing,
    /// Messages are being sent.
    Sending,
    /// Messages wait for a moment: Telegram named one, or a send failed.
    Held,
    /// Messages wait because the whole bot sends nothing.
    Parked,
}

impl ChatPlace {
    /// All of them, in the order in which they are looked through.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Outgoing,
        Self::Sending,
        Self::Held,
        Self::Parked,
    ];

    /// As shown and asked for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Outgoing => "outgoing",
            Self::Sending => "sending",
            Self::Held => "held",
            Self::Parked => "parked",
        }
    }

    /// The place of updates that stand so.
    pub const fn of_updates(standing: Standing) -> Self {
        match standing {
            // Updates are never parked.
            Standing::Ready | Standing::Parked { .. } => Self::Queued,
            Standing::Leased { .. } => Self::Running,
            Standing::Delayed { .. } => Self::Retrying,
        }
    }

    /// The place of messages that stand so.
    pub const fn of_messages(standing: Standing) -> Self {
        match standing {
            Standing::Ready => Self::Outgoing,
            Standing::Leased { .. } => Self::Sending,
            Standing::Delayed { .. } => Self::Held,
            Standing::Parked { .. } => Self::Parked,
        }
    }
}

impl fmt::Display for ChatPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChatPlace {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let named = Self::ALL.into_iter().find(|place| place.as_str() == text);
        named.ok_or(InvalidId { what: "place" })
    }
}

/// The message that a chat sends next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstMessage {
    /// Method of the Bot API.
    pub method: String,
    /// Sends of it that failed.
    pub attempts: u32,
}

/// A chat as it stands at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatView {
    /// Which chat.
    pub chat: ChatId,
    /// Updates that wait, the one being worked on included.
    pub updates: u64,
    /// When the first of them came.
    pub oldest_update: Option<TimestampMs>,
    /// How often the first of them was tried and not committed.
    pub attempts: u32,
    /// Where they stand; `None`: there are none.
    pub inbound: Option<Standing>,
    /// Messages that wait, the one being sent included.
    pub messages: u64,
    /// The first of them; `None` also where it cannot be read.
    pub first_message: Option<FirstMessage>,
    /// Where they stand; `None`: there are none.
    pub outbound: Option<Standing>,
}

impl ChatView {
    /// The places in which the chat is: none, one, or one of updates and one of messages.
    pub fn places(&self) -> impl Iterator<Item = ChatPlace> + use<> {
        let inbound = self.inbound.map(ChatPlace::of_updates);
        inbound
            .into_iter()
            .chain(self.outbound.map(ChatPlace::of_messages))
    }
}

/// What is done with the first update or message of a chat that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Its next try is now.
    Retry,
    /// It becomes a dead letter with the reason [`super::DeadLetterReason::ByHand`], and those behind it go on.
    SetAside,
}

/// What a remedy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freed {
    /// Nothing: there is nothing that waits.
    Empty,
    /// Nothing: somebody works on it at this moment.
    Busy,
    /// Nothing: the first has not failed, or its next try is due already.
    NotBlocked,
    /// Nothing: Telegram said not before this moment, for the chat or for the whole bot.
    NotBefore(TimestampMs),
    /// The next try is now.
    Retried,
    /// The first is the dead letter with this id.
    SetAside(String),
}

/// The lanes of a bot as people see them. Every method but [`Chats::chats`] is one atomic step.
#[async_trait]
pub trait Chats: Debug + Send + Sync {
    /// Chats in which something waits, in no order that means anything; only those in `place` if one is given. A chat
    /// that stands in two places is told once.
    ///
    /// The work of a call is bounded, however many chats there are: a page may be short, or empty, while its cursor says
    /// that there is more. A chat that goes from one place to another meanwhile may be missed. A cursor that is none
    /// lists nothing.
    async fn chats(
        &self,
        bot: &BotId,
        place: Option<ChatPlace>,
        page: &PageRequest,
    ) -> StoreResult<Page<ChatView>>;

    /// One chat, also if nothing waits in it.
    async fn chat(&self, lane: &Lane) -> StoreResult<ChatView>;

    /// Helps a lane whose first update failed. Asked twice, the second finds nothing to do: what comes up next has not
    /// failed yet.
    async fn free_updates(&self, lane: &Lane, remedy: Remedy) -> StoreResult<Freed>;

    /// Helps an outbox whose first message failed. A wait that Telegram asked for ([`super::AfterAck::FloodWait`]) is left
    /// as it is, also if the first message failed before; a first message without failed sends waits for what it waits.
    async fn free_messages(&self, lane: &Lane, remedy: Remedy) -> StoreResult<Freed>;

    /// Forgets the document of a lane. A turn of the lane that runs loses its lease, so that it cannot bring the document
    /// back: its update runs again without one, and its tries do not grow. Answers whether there was such a turn.
    async fn forget_state(&self, lane: &Lane) -> StoreResult<bool>;
}
