//! Rows of telemetry.

use botloom_core::bot_js::Telemetry;
use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::analytics::event::{API_CALL, DEPLOYED, ERROR, MESSAGE_SENT, UPDATE_HANDLED};
use botloom_core::ports::{AnalyticsEvent, DEFAULT_RETENTION_MS};
use botloom_core::time::TimestampMs;
use serde_json::{Value, json};

use crate::step_loop::EndedCall;

/// Named in telemetry when Telegram says that a chat is closed to the bot.
pub(crate) const CHAT_BLOCKED: &str = "chat_blocked";
/// Bot code does not get to say these: the numbers of the platform are the platform's.
const RESERVED: [&str; 6] = [
    API_CALL,
    CHAT_BLOCKED,
    DEPLOYED,
    ERROR,
    MESSAGE_SENT,
    UPDATE_HANDLED,
];

/// What all rows of one update share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) bot: &'a BotId,
    pub(crate) chat: &'a ChatId,
    pub(crate) rev: Option<RevHash>,
    pub(crate) at: TimestampMs,
    /// `update_id`, or the name of a synthetic update.
    pub(crate) cause: &'a str,
}

/// The rows of an update's telemetry, without those of reserved names.
pub(crate) fn from_bot_code(run: Run<'_>, telemetry: Vec<Telemetry>) -> impl Iterator<Item = AnalyticsEvent> {
    telemetry
        .into_iter()
        .enumerate()
        .filter(|(_, told)| !RESERVED.contains(&&*told.event))
        .map(move |(number, Telemetry { event, mut fields })| {
            let mut text = |name: &str| match fields.remove(name) {
                Some(Value::String(text)) => Some(text),
                Some(other) => {
                    fields.insert(name.to_owned(), other);
                    None
                }
                None => None,
            };
            let (flow, step) = (text("flow"), text("step"));
            let fields = serde_json::to_string(&fields).unwrap_or_else(|_| "{}".to_owned());
            row(run, &number.to_string(), event, flow, step, fields)
        })
}

/// A row of the runtime's own, one of its name for a cause. `fields` is a JSON object.
pub(crate) fn plain(run: Run<'_>, event: &str, fields: String) -> AnalyticsEvent {
    row(run, event, event.to_owned(), None, None, fields)
}

/// The rows of an update's `apiCall`s.
pub(crate) fn api_calls(run: Run<'_>, calls: Vec<EndedCall>) -> impl Iterator<Item = AnalyticsEvent> {
    calls.into_iter().enumerate().map(move |(number, call)| {
        let ms = u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX);
        let fields = json!({ "reason": call.reason, "latencyMs": ms, "host": call.host }).to_string();
        let suffix = format!("{API_CALL}:{number}");
        row(run, &suffix, API_CALL.to_owned(), None, None, fields)
    })
}

/// A message that Telegram took; a cause may have many, told apart by `number`.
pub(crate) fn sent(run: Run<'_>, number: &str, fields: String) -> AnalyticsEvent {
    let suffix = format!("{MESSAGE_SENT}:{}:{number}", run.chat);
    row(run, &suffix, MESSAGE_SENT.to_owned(), None, None, fields)
}

fn row(
    run: Run<'_>,
    suffix: &str,
    event: String,
    flow: Option<String>,
    step: Option<String>,
    fields: String,
) -> AnalyticsEvent {
    AnalyticsEvent {
        id: format!("{}:{}:{suffix}", run.bot, run.cause),
        bot: run.bot.clone(),
        chat: run.chat.clone(),
        rev: run.rev,
        at: run.at,
        expires_at: run.at.plus(DEFAULT_RETENTION_MS),
        event,
        flow,
        step,
        fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_and_step_have_columns_of_their_own() {
        let (bot, chat) = (BotId::new("pizza").unwrap(), ChatId::from(5));
        let run = Run {
            bot: &bot,
            chat: &chat,
            rev: None,
            at: TimestampMs(9),
            cause: "77",
        };
        let telemetry: Vec<Telemetry> = serde_json::from_str(
            r#"[{"event":"step_completed","flow":"order","step":"size","ms":3},{"event":"x","step":4},
                {"event":"update_handled","latencyMs":"fast"}]"#,
        )
        .unwrap();
        let rows: Vec<_> = from_bot_code(run, telemetry).collect();
        assert_eq!(rows.len(), 2, "the name of one is the platform's");
        assert_eq!(
            (rows[0].id.as_str(), rows[1].id.as_str()),
            ("pizza:77:0", "pizza:77:1")
        );
        assert_eq!(
            (rows[0].flow.as_deref(), rows[0].step.as_deref()),
            (Some("order"), Some("size"))
        );
        assert_eq!(rows[0].fields, r#"{"ms":3}"#);
        assert_eq!(
            (rows[1].step.as_deref(), rows[1].fields.as_str()),
            (None, r#"{"step":4}"#)
        );
        assert_eq!(
            plain(run, "update_handled", "{}".into()).id,
            "pizza:77:update_handled"
        );
    }
}
