//! What virtual people can do and see, as data.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A wish of the person's side that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// No such bot, person, chat or message.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// It exists, but not in a state that allows this.
    #[error("{0}")]
    Invalid(String),
    /// It did not come about in time.
    #[error("waited in vain: {0}")]
    TimedOut(String),
}

/// What a person sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text; a command gets its entity.
    Text(String),
    /// A file.
    File(SentFile),
    /// Somebody's number.
    Contact {
        /// The number.
        phone_number: String,
        /// Whose.
        first_name: String,
        /// Their Telegram number, where they have one.
        #[serde(default)]
        user_id: Option<i64>,
    },
    /// A place.
    Location {
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
    },
    /// Any fields of a message, as Telegram would send them.
    Raw(Map<String, Value>),
}

/// A file that a person sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentFile {
    /// `photo`, `video`, `document`, `audio`, `voice`, `animation`, `video_note` or `sticker`.
    pub kind: String,
    /// Its content, as text.
    #[serde(default)]
    pub content: String,
    /// Its size where that is not the content's.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Text beside it.
    #[serde(default)]
    pub caption: Option<String>,
}

/// What somebody's deed became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The update that the bot gets; `None` where it does not want this kind.
    pub update_id: Option<i64>,
    /// The message, or the one whose button was pressed.
    pub message_id: Option<i64>,
    /// The press, for `answerCallbackQuery`.
    pub query_id: Option<String>,
}

/// A message as the person sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Position among everything that people see; an edit moves the message to the end.
    pub seq: u64,
    /// Whether the bot sent it.
    pub from_bot: bool,
    /// The message in the Bot API's form.
    pub message: Map<String, Value>,
    /// The keyboard that came with it, reply keyboards included.
    pub keyboard: Option<Value>,
}

impl Seen {
    /// Its number in the chat.
    pub fn message_id(&self) -> i64 {
        self.message
            .get("message_id")
            .and_then(Value::as_i64)
            .unwrap_or(0)
    }

    /// Its text or caption, or nothing.
    pub fn text(&self) -> &str {
        let text = self.message.get("text").or_else(|| self.message.get("caption"));
        text.and_then(Value::as_str).unwrap_or("")
    }
}

/// A group or channel to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPlace {
    /// `group`, `supergroup` or `channel`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title.
    pub title: String,
    /// Number below zero; a fresh one where absent.
    #[serde(default)]
    pub id: Option<i64>,
    /// Public name without `@`.
    #[serde(default)]
    pub username: Option<String>,
    /// Bots in it.
    #[serde(default)]
    pub bots: Vec<i64>,
}

/// Trouble on the way to a bot's webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookChaos {
    /// So many successful deliveries are made once more, as after a lost answer.
    pub duplicate: u32,
    /// Queues take turns in random order instead of their own.
    pub shuffle: bool,
    /// So many deliveries pause in the middle of their body …
    pub slow: u32,
    /// … for so many real milliseconds.
    pub slow_ms: u64,
    /// So many deliveries break off in the middle of their body.
    pub cut: u32,
    /// Nothing is delivered.
    pub hold: bool,
}
