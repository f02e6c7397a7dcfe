//! From what bot code wants sent to messages of the outbox.

use botloom_core::TraceParent;
use botloom_core::bot_js::{Action, ActionClass};
use botloom_core::ids::ChatId;
use botloom_core::ports::{OutClass, OutMessage};
use botloom_core::time::TimestampMs;
use bytes::Bytes;
use serde_json::Value;

/// Methods beyond the families of [`is_allowed`].
const SINGLE: [&str; 5] = [
    "setMessageReaction",
    "stopPoll",
    "pinChatMessage",
    "unpinChatMessage",
    "approveChatJoinRequest",
];

/// Whether bot code may call a method: those that write to the chat of the update or answer its query. Methods that
/// change the bot itself (`setWebhook`, `logOut`, `setMyName`) or hand out links stay the host's.
fn is_allowed(method: &str) -> bool {
    let family = |name: &str| {
        method
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    let plain = method.len() <= 64 && method.bytes().all(|b| b.is_ascii_alphabetic());
    plain
        && (SINGLE.contains(&method)
            || (family("send") && method != "sendGift")
            || (family("edit") && (method.starts_with("editMessage") || method == "editForumTopic"))
            || matches!(method, "deleteMessage" | "deleteMessages")
            || family("answer"))
}

/// The message for the outbox of `lane_chat`, or why the action is none.
pub(crate) fn message(
    action: Action,
    lane_chat: &ChatId,
    accepted_at: TimestampMs,
    (cause, trace): (&str, Option<&TraceParent>),
) -> Result<OutMessage, String> {
    let Action {
        method,
        mut params,
        class,
        not_after_sec,
        ambiguous,
    } = action;
    if !is_allowed(&method) {
        return Err(format!("bot code may not call {method:?}"));
    }
    let is_answer = method.starts_with("answer");
    match (params.get("chat_id"), lane_chat.telegram_chat()) {
        (Some(given), Some(chat)) if names(given, chat) => {}
        (Some(_), _) => return Err(format!("{method} names another chat than that of the update")),
        (None, _) if is_answer || params.contains_key("inline_message_id") => {}
        (None, Some(chat)) => {
            params.insert("chat_id".to_owned(), chat.into());
        }
        (None, None) => return Err(format!("{method}: the update has no chat to send to")),
    }
    let params = serde_json::to_vec(&params).map_err(|error| error.to_string())?;
    Ok(OutMessage {
        method,
        params: Bytes::from(params),
        class: match class {
            ActionClass::Reply => OutClass::Reply,
            ActionClass::Urgent => OutClass::Urgent,
        },
        not_after: not_after_sec.map(|secs| accepted_at.plus(i64::from(secs) * 1_000)),
        ambiguous,
        cause: cause.to_owned(),
        trace: trace.cloned(),
    })
}

fn names(given: &Value, chat: i64) -> bool {
    given.as_i64() == Some(chat) || given.as_str().is_some_and(|text| text == chat.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(chat: &str, action: &str) -> Result<OutMessage, String> {
        message(
            serde_json::from_str(action).unwrap(),
            &ChatId::new(chat).unwrap(),
            TimestampMs(1_000),
            ("9", None),
        )
    }

    #[test]
    fn the_chat_is_filled_in() {
        let message = made(
            "-42",
            r#"{"method":"sendMessage","params":{"text":"hi"},"notAfterSec":15,"class":"urgent"}"#,
        );
        let message = message.unwrap();
        assert_eq!(message.params, r#"{"text":"hi","chat_id":-42}"#);
        assert_eq!(
            (message.class, message.not_after),
            (OutClass::Urgent, Some(TimestampMs(16_000)))
        );
        assert_eq!(message.cause, "9");
        let private = made("u:7", r#"{"method":"sendMessage","params":{"text":"hi"}}"#).unwrap();
        assert_eq!(private.params, r#"{"text":"hi","chat_id":7}"#);
        for same in ["-42", r#""-42""#] {
            let action =
                format!(r#"{{"method":"sendChatAction","params":{{"chat_id":{same},"action":"typing"}}}}"#);
            assert!(made("-42", &action).is_ok(), "{same}");
        }
    }

    #[test]
    fn answers_and_inline_messages_have_no_chat() {
        let answer = made(
            "p:x",
            r#"{"method":"answerCallbackQuery","params":{"callback_query_id":"1"}}"#,
        )
        .unwrap();
        assert_eq!(answer.params, r#"{"callback_query_id":"1"}"#);
        let edit = made(
            "u:7",
            r#"{"method":"editMessageText","params":{"inline_message_id":"x","text":"t"}}"#,
        )
        .unwrap();
        assert_eq!(edit.params, r#"{"inline_message_id":"x","text":"t"}"#);
    }

    #[test]
    fn other_chats_and_other_methods_are_refused() {
        for params in ["43", r#""@channel""#, r#""43""#, "-42.5", "null", "[-42]"] {
            let action = format!(r#"{{"method":"sendMessage","params":{{"chat_id":{params}}}}}"#);
            assert!(made("-42", &action).is_err(), "{params}");
        }
        assert!(made("p:abc", r#"{"method":"sendMessage","params":{"text":"x"}}"#).is_err());
        for method in [
            "setWebhook",
            "deleteWebhook",
            "logOut",
            "close",
            "getUpdates",
            "sendmessage",
            "send",
            "SENDMESSAGE",
            "exportChatInviteLink",
            "deleteMyCommands",
            "setMyName",
            "forwardMessage",
            "copyMessage",
            "leaveChat",
            "banChatMember",
            "sendMessage/../logOut",
            "",
            "sendGift",
            "deleteStory",
            "editChatInviteLink",
            "deleteChatPhoto",
        ] {
            assert!(!is_allowed(method), "{method}");
        }
        for method in [
            "sendMessage",
            "sendPhoto",
            "editMessageText",
            "deleteMessages",
            "answerInlineQuery",
            "setMessageReaction",
        ] {
            assert!(is_allowed(method), "{method}");
        }
    }
}
