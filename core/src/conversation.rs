//! What is said in a simulated conversation, and what it led to.

use serde_json::{Map, Value};

use crate::bot_js::{ApiCallError, Telemetry};

/// Who speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Telegram's user id.
    pub id: i64,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: Option<String>,
    /// Name without `@`.
    pub username: Option<String>,
    /// IETF language tag.
    pub language_code: Option<String>,
}

/// A prepared answer.
#[derive(Debug, Clone)]
pub enum ScriptedAnswer {
    /// An HTTP answer. A status outside 2xx fails the call.
    Answer {
        /// Status.
        status: u16,
        /// JSON, or nothing.
        body: Option<Value>,
    },
    /// The call fails so, after its retries.
    Error(ApiCallError),
}

/// A call that the bot made.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeCall {
    /// HTTP method.
    pub method: String,
    /// URL without query and fragment.
    pub url: String,
    /// Parameters of the URL and of `query`, in order.
    pub query: Vec<(String, String)>,
    /// Headers as the bot set them.
    pub headers: Vec<(String, String)>,
    /// JSON body.
    pub body: Option<Value>,
    /// Whether there was somebody to answer it: a prepared answer, or the service itself.
    pub answered: bool,
    /// What the bot was told.
    pub answer: CallAnswer,
}

/// What a bot was told about its call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallAnswer {
    /// Status, if there was one.
    pub status: Option<u16>,
    /// JSON of an answer within 2xx.
    pub body: Option<Value>,
    /// Why it failed, if it did.
    pub error: Option<ApiCallError>,
}

/// A message that the bot sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Method of the Bot API.
    pub method: String,
    /// Its parameters, `chat_id` included.
    pub params: Map<String, Value>,
}

/// Why an update came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{outcome}: {detail}")]
pub struct Failed {
    /// Name of a sandbox outcome, or `no_sandbox`.
    pub outcome: String,
    /// In words.
    pub detail: String,
}

/// What one update led to.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// In order. Empty when it failed: nothing of a failed update takes effect.
    pub messages: Vec<Sent>,
    /// Recorded events.
    pub telemetry: Vec<Telemetry>,
    /// Calls, also of a failed update.
    pub calls: Vec<MadeCall>,
    /// How it ended.
    pub outcome: Result<(), Failed>,
}
