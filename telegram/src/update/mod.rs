//! The little of an update that decides where it goes.
//!
//! [`Routed::parse`] reads an update's JSON once, borrows its texts and builds no tree. It accepts kinds and fields that
//! are newer than this version.

mod command;
mod kind;
mod wire;

use std::borrow::Cow;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

pub use command::Command;
pub use kind::{Kind, Known, QueueId};

/// Text borrowed from the update where it holds no escapes, else owned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// An update, as far as routing needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Routed<'a> {
    /// Number of the update: unique for its bot for at least a day, rising but with gaps and out of order in delivery.
    pub update_id: i64,
    /// What it is about.
    pub kind: Kind<'a>,
    /// Chat it happened in; none for inline queries, payments and polls.
    pub chat: Option<Chat<'a>>,
    /// Who caused it; none for channel posts and anonymous reactions.
    pub from: Option<User<'a>>,
    /// The message it carries, or that the pressed button belongs to.
    pub message: Option<Message<'a>>,
    /// The press of an inline button.
    pub callback: Option<Callback<'a>>,
    /// New status of the member in `my_chat_member` and `chat_member`: `kicked` in a private chat means the person
    /// blocked the bot.
    pub member_status: Option<Text<'a>>,
    /// Poll in `poll` and `poll_answer`.
    pub poll_id: Option<Text<'a>>,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Chat<'a> {
    /// Telegram's number; negative for groups and channels.
    pub id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    /// Title of groups and channels.
    #[serde(borrow, default)]
    pub title: Option<Text<'a>>,
    /// Public name.
    #[serde(borrow, default)]
    pub username: Option<Text<'a>>,
}

/// A person or bot.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct User<'a> {
    /// Telegram's number; needs 52 bits.
    pub id: i64,
    /// Whether it is a bot.
    #[serde(default)]
    pub is_bot: bool,
    /// First name.
    #[serde(borrow)]
    pub first_name: Text<'a>,
    /// Last name.
    #[serde(borrow, default)]
    pub last_name: Option<Text<'a>>,
    /// Public name without `@`.
    #[serde(borrow, default)]
    pub username: Option<Text<'a>>,
    /// IETF language tag of the person's app.
    #[serde(borrow, default)]
    pub language_code: Option<Text<'a>>,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Number inside its chat.
    pub message_id: i64,
    /// Unix seconds; 0 where the message is no longer readable.
    pub date: i64,
    /// Text; `None` for media and service messages.
    pub text: Option<Text<'a>>,
    /// Text beside media.
    pub caption: Option<Text<'a>>,
    /// Topic; an answer must name it to stay there.
    pub message_thread_id: Option<i64>,
    /// Common to the messages of an album.
    pub media_group_id: Option<Text<'a>>,
    /// Connection through which a business account's message came.
    pub business_connection_id: Option<Text<'a>>,
    /// This basic group is now that supergroup.
    pub migrate_to_chat_id: Option<i64>,
    /// This supergroup was that basic group.
    pub migrate_from_chat_id: Option<i64>,
}

/// The press of an inline button.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback<'a> {
    /// For `answerCallbackQuery`.
    pub id: Text<'a>,
    /// The button's data, at most 64 bytes. From the person: may be anything.
    pub data: Option<Text<'a>>,
    /// Set where the button belongs to a message sent in inline mode.
    pub inline_message_id: Option<Text<'a>>,
}

/// The text is not an update.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or not of an update's shape.
    #[error("not an update: {0}")]
    Malformed(String),
    /// Without a number nothing can tell a repetition.
    #[error("an update without update_id")]
    NoUpdateId,
}

impl<'a> Routed<'a> {
    /// Reads one update.
    pub fn parse(json: &'a str) -> Result<Self, ParseError> {
        let update: wire::Update<'a> =
            serde_json::from_str(json).map_err(|e| ParseError::Malformed(e.to_string()))?;
        update.into_routed().ok_or(ParseError::NoUpdateId)
    }

    /// What orders this update among the bot's others: the chat's id, else `u:<user id>`, for polls `p:<poll id>`, and
    /// `-` where there is none of them. Shorter than 64 bytes of visible ASCII, whatever the update holds.
    pub fn chat_key(&self) -> String {
        if let Some(poll) = &self.poll_id {
            let plain = poll.bytes().all(|b| b.is_ascii_graphic()) && (1..=60).contains(&poll.len());
            return if plain {
                format!("p:{}", &**poll)
            } else {
                "-".into()
            };
        }
        match (&self.chat, &self.from) {
            (Some(chat), _) => chat.id.to_string(),
            (None, Some(user)) => format!("u:{}", user.id),
            (None, None) => "-".into(),
        }
    }

    /// Text or caption of the message that the update is; empty for every other kind.
    pub fn text(&self) -> &str {
        let message = self.message.as_ref().filter(|_| self.kind.is_message());
        message
            .and_then(|m| m.text.as_ref().or(m.caption.as_ref()))
            .map_or("", |text| text)
    }

    /// The command that the message's text begins with. Captions hold none.
    pub fn command(&self) -> Option<Command<'_>> {
        let message = self.message.as_ref().filter(|_| self.kind.is_message())?;
        Command::parse(message.text.as_ref()?)
    }
}
