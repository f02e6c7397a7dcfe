//! What a failed call means for the one who wanted to send.

use crate::CallError;

/// Pause where Telegram asks for one and does not say how long, in seconds.
const DEFAULT_PAUSE: u32 = 5;

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 429: not before `secs` seconds from now. Whether the chat or the whole bot is meant is undocumented: pause the
    /// chat, and the bot when several of its chats are told the same.
    RetryAfter {
        /// Seconds, at least 1.
        secs: u32,
    },
    /// The bot may not write to this chat (any more): blocked, kicked, deactivated, unknown. Permanent until the chat
    /// itself is heard of again.
    ChatGone,
    /// The wanted state holds, or the moment for it has passed and cannot come back: count it as success.
    AlreadyDone,
    /// The basic group became a supergroup: the same call with the new chat id will work.
    Migrated {
        /// The supergroup's id.
        to: i64,
    },
    /// This call will never be accepted as it is; others may be.
    Rejected,
    /// The token is wrong or revoked: nothing can be sent for this bot.
    Unauthorized,
    /// Somebody else reads this bot's updates, or a webhook is set.
    ConflictingConsumer,
    /// May work later.
    Transient {
        /// Whether the call may have been executed: repeating a send may then show it twice.
        ambiguous: bool,
    },
}

/// Sorts a failed call of `method` (as Telegram spells it) into what to do about it.
///
/// Texts are compared in lower case by their stable parts; an unknown text of a known code falls to the code's usual
/// meaning, so a new text of Telegram's never becomes a panic or an endless retry.
pub fn classify(error: &CallError, method: &str) -> Class {
    let (code, description, parameters) = match error {
        CallError::Api {
            code,
            description,
            parameters,
        } => (*code, description, parameters),
        CallError::Connect { .. } => return Class::Transient { ambiguous: false },
        CallError::Ambiguous { .. } | CallError::BadAnswer { .. } => {
            return Class::Transient { ambiguous: true };
        }
        CallError::BadCall { .. } => return Class::Rejected,
    };
    let text = description.to_lowercase();
    if let Some(secs) = parameters.retry_after {
        return Class::RetryAfter { secs: secs.max(1) };
    }
    if let Some(to) = parameters.migrate_to_chat_id {
        return Class::Migrated { to };
    }
    match code {
        400 => bad_request(&text, method),
        401 => Class::Unauthorized,
        403 => Class::ChatGone,
        // Only a token that Telegram does not know is "not found" and nothing more.
        404 if text == "not found" => Class::Unauthorized,
        409 => Class::ConflictingConsumer,
        429 => Class::RetryAfter {
            secs: seconds_in(&text).unwrap_or(DEFAULT_PAUSE).max(1),
        },
        code if code >= 500 => Class::Transient { ambiguous: true },
        _ => Class::Rejected,
    }
}

fn bad_request(text: &str, method: &str) -> Class {
    const DONE: [&str; 3] = ["message is not modified", "query is too old", "query_id_invalid"];
    const GONE: [&str; 5] = [
        "chat not found",
        "peer_id_invalid",
        "group chat was deactivated",
        "group chat was deleted",
        "user is deactivated",
    ];
    let contains = |part: &&str| text.contains(*part);
    let already_deleted = method.starts_with("deleteMessage") && text.contains("message to delete not found");
    if already_deleted || DONE.iter().any(contains) {
        Class::AlreadyDone
    } else if GONE.iter().any(contains) {
        Class::ChatGone
    } else {
        Class::Rejected
    }
}

/// The number behind `retry after`, which every 429 of Telegram carries in its text too.
fn seconds_in(text: &str) -> Option<u32> {
    text.split_once("retry after ")?
        .1
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;

    fn api(code: u16, description: &str) -> CallError {
        CallError::Api {
            code,
            description: description.into(),
            parameters: Parameters::default(),
        }
    }

    #[test]
    fn texts_that_telegram_sends() {
        use Class::{
            AlreadyDone, ChatGone, ConflictingConsumer, Rejected, RetryAfter, Transient, Unauthorized,
        };
        let table = [
            (403, "Forbidden: bot was blocked by the user", ChatGone),
            (403, "Forbidden: user is deactivated", ChatGone),
            (
                403,
                "Forbidden: bot was kicked from the supergroup chat",
                ChatGone,
            ),
            (
                403,
                "Forbidden: bot is not a member of the channel chat",
                ChatGone,
            ),
            (403, "Forbidden: the group chat was deleted", ChatGone),
            (
                403,
                "Forbidden: bot can't initiate conversation with a user",
                ChatGone,
            ),
            (400, "Bad Request: chat not found", ChatGone),
            (400, "Bad Request: PEER_ID_INVALID", ChatGone),
            (
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the \
                 same as a current content and reply markup of the message",
                AlreadyDone,
            ),
            (
                400,
                "Bad Request: query is too old and response timeout expired or query ID is invalid",
                AlreadyDone,
            ),
            (400, "Bad Request: message to edit not found", Rejected),
            (400, "Bad Request: message can't be edited", Rejected),
            (
                400,
                "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0",
                Rejected,
            ),
            (400, "Bad Request: message text is empty", Rejected),
            (
                400,
                "Bad Request: wrong file identifier/HTTP URL specified",
                Rejected,
            ),
            (400, "Bad Request: something nobody has seen yet", Rejected),
            (413, "Request Entity Too Large", Rejected),
            (401, "Unauthorized", Unauthorized),
            (404, "Not Found", Unauthorized),
            (404, "Not Found: method not found", Rejected),
            (
                409,
                "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                ConflictingConsumer,
            ),
            (
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the \
                 webhook first",
                ConflictingConsumer,
            ),
            (429, "Too Many Requests: retry after 35", RetryAfter { secs: 35 }),
            (429, "Too Many Requests", RetryAfter { secs: DEFAULT_PAUSE }),
            (
                500,
                "Internal Server Error: restart",
                Transient { ambiguous: true },
            ),
            (502, "Bad Gateway", Transient { ambiguous: true }),
        ];
        for (code, text, class) in table {
            assert_eq!(classify(&api(code, text), "sendMessage"), class, "{code} {text}");
        }
    }

    #[test]
    fn what_is_deleted_already_is_deleted() {
        let error = api(400, "Bad Request: message to delete not found");
        assert_eq!(classify(&error, "deleteMessage"), Class::AlreadyDone);
        assert_eq!(classify(&error, "deleteMessages"), Class::AlreadyDone);
        assert_eq!(classify(&error, "sendMessage"), Class::Rejected);
    }

    #[test]
    fn parameters_count_more_than_texts() {
        let with = |code, parameters| CallError::Api {
            code,
            description: "x".into(),
            parameters,
        };
        let wait = Parameters {
            retry_after: Some(0),
            migrate_to_chat_id: None,
        };
        assert_eq!(
            classify(&with(429, wait), "sendMessage"),
            Class::RetryAfter { secs: 1 }
        );
        let moved = Parameters {
            retry_after: None,
            migrate_to_chat_id: Some(-1005),
        };
        assert_eq!(
            classify(&with(400, moved), "sendMessage"),
            Class::Migrated { to: -1005 }
        );
    }

    #[test]
    fn broken_connections() {
        let detail = || "x".to_owned();
        let class = |error: CallError| classify(&error, "sendMessage");
        assert_eq!(
            class(CallError::Connect { detail: detail() }),
            Class::Transient { ambiguous: false }
        );
        assert_eq!(
            class(CallError::Ambiguous { detail: detail() }),
            Class::Transient { ambiguous: true }
        );
        let bad = CallError::BadAnswer {
            status: 302,
            detail: detail(),
        };
        assert_eq!(class(bad), Class::Transient { ambiguous: true });
        assert_eq!(class(CallError::BadCall { detail: detail() }), Class::Rejected);
    }
}
