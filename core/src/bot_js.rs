//! What `bot.js` is given and gives back, as types. `docs/bot-js.md` is the same in words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most calls of the Bot API that one update may ask for.
pub const MAX_ACTIONS: usize = 32;
/// Most bytes of a stored state document.
pub const MAX_STATE_BYTES: usize = 64 * 1024;
/// Most bytes of an answer without its state.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// Deepest nesting of an answer.
pub const MAX_DEPTH: usize = 32;
/// Most calls of `handle` for one update, the first included.
pub const MAX_CALLS: usize = 64;
/// Most `apiCall` effects for one update.
pub const MAX_API_CALLS: usize = 2;
/// Most tests in one `match` effect.
pub const MAX_MATCH_TESTS: usize = 16;
/// Most telemetry events in one answer.
pub const MAX_TELEMETRY: usize = 64;

/// Argument of `handle`.
#[derive(Debug, Serialize)]
pub struct Input<'a> {
    /// What happened.
    pub event: &'a Event<'a>,
    /// The chat's document, JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a RawValue>,
    /// Around what happened.
    pub context: &'a Context<'a>,
    /// Answer to the effect of the call before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<&'a Resume>,
}

/// One update, as bot code sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    /// Telegram's `update_id`.
    pub update_id: i64,
    /// Telegram's update kind: `message`, `callback_query` …
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Text or caption, else empty.
    pub text: &'a str,
    /// Name of the command, without slash and bot name, lower case.
    pub command: Option<String>,
    /// Trimmed text after the command.
    pub args: &'a str,
}

/// Who, where and when.
#[derive(Debug, Clone, Serialize)]
pub struct Context<'a> {
    /// Sender.
    pub user: Option<User<'a>>,
    /// Chat.
    pub chat: Option<Chat<'a>>,
    /// Message.
    pub message: Option<Message>,
    /// RFC 3339 with milliseconds in the bot's time zone.
    pub now: String,
    /// The bot as Telegram knows it.
    pub bot: Bot<'a>,
}

/// A Telegram user.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User<'a> {
    /// Telegram's user id.
    pub id: i64,
    /// First name.
    pub first_name: &'a str,
    /// Last name.
    pub last_name: Option<&'a str>,
    /// Name without `@`.
    pub username: Option<&'a str>,
    /// IETF language tag of the user's client.
    pub language_code: Option<&'a str>,
}

/// A Telegram chat.
#[derive(Debug, Clone, Serialize)]
pub struct Chat<'a> {
    /// Telegram's chat id.
    pub id: i64,
    /// `private`, `group`, `supergroup` or `channel`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Title of groups and channels.
    pub title: Option<&'a str>,
}

/// A Telegram message.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Message {
    /// Id inside the chat.
    pub id: i64,
    /// Unix time in seconds.
    pub date: i64,
}

/// The bot as Telegram knows it.
#[derive(Debug, Clone, Serialize)]
pub struct Bot<'a> {
    /// Name without `@`; unknown before the bot has a token.
    pub username: Option<&'a str>,
}

/// Answer of `handle`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The document to store; `None` deletes it.
    #[serde(default)]
    pub state: Option<Box<RawValue>>,
    /// Calls of the Bot API in order.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What the host does before it calls again. Not read with the rest: it holds JSON texts inside tagged forms, which
    /// the sandbox takes apart itself.
    #[serde(skip)]
    pub effect: Option<Effect>,
    /// What to record.
    #[serde(default)]
    pub telemetry: Vec<Telemetry>,
}

/// One call of the Bot API.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Action {
    /// Method name of the Bot API.
    pub method: String,
    /// Its parameters, a JSON object.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// How it queues.
    #[serde(default)]
    pub class: ActionClass,
    /// Not worth sending later than this many seconds after the update was accepted.
    #[serde(default)]
    pub not_after_sec: Option<u32>,
    /// What to do when nobody knows whether Telegram got it.
    #[serde(default)]
    pub ambiguous: Ambiguous,
}

/// How an action of bot code queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionClass {
    /// In the order of the chat.
    #[default]
    Reply,
    /// Before the others of the chat: answers that Telegram waits for.
    Urgent,
}

/// What to do with a message that may or may not have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// Send it again: a doubled reply is better than none.
    #[default]
    Resend,
    /// Do not send it again: payments, one-time codes, bulk.
    Skip,
}

/// What bot code asks of the host between two calls.
#[derive(Debug, Clone)]
pub enum Effect {
    /// An HTTP request.
    ApiCall(ApiCall),
    /// Tests of texts, by the node's linear-time engines.
    Match {
        /// Given back as `resume.cont`.
        cont: Box<RawValue>,
        /// At most [`MAX_MATCH_TESTS`].
        tests: Vec<MatchTest>,
    },
}

/// A request to an allow-listed host.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiCall {
    /// Given back as `resume.cont`.
    pub cont: Box<RawValue>,
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: String,
    /// Absolute https URL.
    pub url: String,
    /// Header values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Query parameters, added to those of the URL.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// JSON body.
    #[serde(default)]
    pub body: Option<Box<RawValue>>,
    /// Of one request, connecting included.
    pub timeout_ms: u32,
    /// Further requests after the first.
    #[serde(default)]
    pub retries: u32,
    /// Pause between requests.
    #[serde(default)]
    pub backoff: Backoff,
}

/// Pause before the n-th retry: `baseMs × factor^(n-1)`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backoff {
    /// First pause in milliseconds.
    pub base_ms: u32,
    /// Growth.
    pub factor: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base_ms: 100,
            factor: 2.0,
        }
    }
}

/// One test of a text.
#[derive(Debug, Clone)]
pub enum MatchTest {
    /// A regular expression in Rust `regex` syntax, unanchored.
    Pattern {
        /// The expression.
        pattern: String,
        /// The text.
        text: String,
    },
    /// A JSON Schema.
    Schema {
        /// The schema.
        schema: Box<RawValue>,
        /// The text, tested as number, integer or boolean where the schema wants one and it reads as one.
        text: String,
    },
}

/// The host's answer to an effect.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Resume {
    /// To [`Effect::ApiCall`].
    ApiCall {
        /// As the effect gave it.
        cont: Box<RawValue>,
        /// Whether an answer with a 2xx status and JSON (or nothing) came.
        ok: bool,
        /// HTTP status, if an answer came.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// JSON text of the answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<Box<RawValue>>,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ApiCallError>,
    },
    /// To [`Effect::Match`].
    Match {
        /// As the effect gave it.
        cont: Box<RawValue>,
        /// One for each test.
        results: Vec<bool>,
    },
}

/// Why an `apiCall` brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiCallError {
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Connect,
    /// A status outside 2xx.
    Status,
    /// More bytes than `maxApiResponseKB`.
    TooLarge,
    /// The answer is not JSON.
    NotJson,
    /// The host is not allow-listed, or its address is not a public one.
    Denied,
    /// More than [`MAX_API_CALLS`] within one update.
    Limit,
}

impl ApiCallError {
    /// As bot code and telemetry name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Status => "status",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::Denied => "denied",
            Self::Limit => "limit",
        }
    }
}

/// One recorded event, a flat object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Telemetry {
    /// Name: `flow_started`, `step_completed` …
    pub event: String,
    /// The rest.
    #[serde(flatten)]
    pub fields: serde_json::Map<String, serde_json::Value>,
}
