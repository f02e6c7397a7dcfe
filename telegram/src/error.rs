//! What can go wrong with a call, without a word about the token or the address.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::Token;

/// A call that did not end with a result. No variant, no text and no `Debug` form contains the token or the request's
/// address. [`classify`](crate::classify) says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Telegram refused the call and said so. Nothing was executed, except where `code` is 500 or above: then nobody
    /// knows.
    #[error("the Bot API answered {code}: {description}")]
    Api {
        /// Telegram's `error_code`, else the HTTP status.
        code: u16,
        /// Telegram's words, meant for people; may change without notice.
        description: String,
        /// What Telegram adds for machines.
        parameters: Parameters,
    },
    /// The request was not written: no connection, no name, no TLS. Calling again cannot do anything twice.
    #[error("the Bot API could not be reached: {detail}")]
    Connect {
        /// Cause, for logs.
        detail: String,
    },
    /// The request was written, at least in part, and no answer came: time ran out or the connection broke. Telegram
    /// may have executed it.
    #[error("the Bot API gave no answer, the call may have been executed: {detail}")]
    Ambiguous {
        /// Cause, for logs.
        detail: String,
    },
    /// Something answered, but not as the Bot API does (a redirect, no JSON, more bytes than allowed). The call may
    /// have been executed.
    #[error("what answered with status {status} is not the Bot API: {detail}")]
    BadAnswer {
        /// HTTP status.
        status: u16,
        /// Cause, for logs.
        detail: String,
    },
    /// The call was not made, because it cannot be written as a request (method name, parameters).
    #[error("not a call that can be made: {detail}")]
    BadCall {
        /// Cause, for logs.
        detail: String,
    },
}

/// `parameters` of a refusal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// Seconds to wait before the next try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// The supergroup that the basic group became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate_to_chat_id: Option<i64>,
}

/// The client cannot be made with these options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOptions(pub(crate) &'static str);

/// The error and its causes in one line, without the token.
pub(crate) fn chain(error: &dyn std::error::Error, token: &Token) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing into a `String` cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    token.scrub(&text)
}
