//! Scripted conversations: `chat.json` beside a spec. The format is described in `examples/README.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::step::{MediaKind, Method};

/// A conversation with what is expected of the bot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// `meta.botId` of the spec it belongs to.
    pub bot: String,
    /// What happens, in order.
    pub script: Vec<Entry>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum Entry {
    /// Who speaks from now on.
    User(User),
    /// A text message; with a user: theirs, this once.
    Send {
        /// The text.
        text: String,
        /// Who sends it, if not the one who speaks.
        user: Option<User>,
    },
    /// Everything the bot has sent since the last `Expect`.
    Expect(Vec<Message>),
    /// The answer to a call.
    Api(ApiAnswer),
    /// Virtual seconds that pass.
    Wait(u64),
    /// What a placeholder would read in the speaker's chat; `null`: no value.
    State(BTreeMap<String, Value>),
}

/// A person in their private chat with the bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct User {
    /// Telegram's id, also the id of the chat.
    pub id: i64,
    /// First name.
    pub first_name: String,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Language of the client, an IETF tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
}

impl Default for User {
    /// Who speaks before a script says who.
    fn default() -> Self {
        Self {
            id: 1,
            first_name: "Ada".to_owned(),
            last_name: None,
            username: None,
            language_code: Some("en".to_owned()),
        }
    }
}

/// A message of the bot. What is absent is expected to be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Text or caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Buttons of the keyboard, from top to bottom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
}

/// A file that the bot sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Media {
    /// How.
    pub kind: MediaKind,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Or which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
}

/// Which call is expected next, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ApiAnswer {
    /// Method of the request.
    pub method: Method,
    /// URL of the request without its query.
    pub url: String,
    /// Body of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_body: Option<Value>,
    /// Parameters the request has, among others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect_query: BTreeMap<String, String>,
    /// Headers the request has, among others; names in any case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect_headers: BTreeMap<String, String>,
    /// HTTP status of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// JSON of the answer.
    #[serde(default)]
    pub body: Value,
    /// The call fails so instead, after its retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

fn ok() -> u16 {
    200
}

/// How a call fails without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiError {
    /// No answer in time.
    Timeout,
    /// No connection.
    Connect,
    /// The answer is too large.
    TooLarge,
    /// The answer is no JSON.
    NotJson,
    /// The host may not be called.
    Denied,
}

impl ApiError {
    /// The name that `bot.js` sees.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Denied => "denied",
        }
    }
}

/// The fields an entry is recognised by.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    send: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<Vec<Message>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api: Option<ApiAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<BTreeMap<String, Value>>,
}

impl TryFrom<Fields> for Entry {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields {
            Fields {
                user,
                send: Some(text),
                expect: None,
                api: None,
                wait: None,
                state: None,
            } => Ok(Self::Send { text, user }),
            Fields {
                user: Some(user),
                send: None,
                expect: None,
                api: None,
                wait: None,
                state: None,
            } => Ok(Self::User(user)),
            Fields {
                user: None,
                send: None,
                expect: Some(list),
                api: None,
                wait: None,
                state: None,
            } => Ok(Self::Expect(list)),
            Fields {
                user: None,
                send: None,
                expect: None,
                api: Some(answer),
                wait: None,
                state: None,
            } => Ok(Self::Api(answer)),
            Fields {
                user: None,
                send: None,
                expect: None,
                api: None,
                wait: Some(seconds),
                state: None,
            } => Ok(Self::Wait(seconds)),
            Fields {
                user: None,
                send: None,
                expect: None,
                api: None,
                wait: None,
                state: Some(values),
            } => Ok(Self::State(values)),
            _ => Err("an entry has exactly one of `user`, `send`, `expect`, `api`, `wait` and `state`"),
        }
    }
}

impl From<Entry> for Fields {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::User(user) => Self {
                user: Some(user),
                ..Self::default()
            },
            Entry::Send { text, user } => Self {
                send: Some(text),
                user,
                ..Self::default()
            },
            Entry::Expect(list) => Self {
                expect: Some(list),
                ..Self::default()
            },
            Entry::Api(answer) => Self {
                api: Some(answer),
                ..Self::default()
            },
            Entry::Wait(seconds) => Self {
                wait: Some(seconds),
                ..Self::default()
            },
            Entry::State(values) => Self {
                state: Some(values),
                ..Self::default()
            },
        }
    }
}
