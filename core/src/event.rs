//! What happened, for people who watch: the live events of a project. One enum serves the log, SSE and the audit trail.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, ProjectId, TaskId};
use crate::model::{IngressMode, WebhookFinding};
use crate::time::TimestampMs;

/// Longest name of an event, in bytes.
const LONGEST_NAME: usize = 64;

/// Something that happened to a bot. Serialises to the payload of its SSE event.
///
/// Nodes of two versions share a log while one replaces the other, so every event can be read: one that this version does not
/// know, or knows otherwise, is [`BotEvent::Unknown`] and is passed on as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "name",
    content = "data",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum BotEvent {
    /// A generation began.
    GenerateStarted {
        /// The task.
        task_id: TaskId,
    },
    /// A generation moved on.
    GenerateProgress {
        /// The task.
        task_id: TaskId,
        /// 0 to 100.
        progress: u8,
    },
    /// A revision was made, or was there already.
    GenerateSucceeded {
        /// The task.
        task_id: TaskId,
        /// The revision.
        rev_hash: RevHash,
    },
    /// No revision was made.
    GenerateFailed {
        /// The task.
        task_id: TaskId,
        /// In words for the author.
        reason: String,
    },
    /// A deployment began.
    DeployStarted {
        /// The task.
        task_id: TaskId,
        /// The revision to go live.
        rev_hash: RevHash,
    },
    /// A deployment entered a stage.
    DeployProgress {
        /// The task.
        task_id: TaskId,
        /// Name of the stage.
        stage: String,
    },
    /// Updates start on the new revision from here on.
    DeployFlipped {
        /// The task.
        task_id: TaskId,
        /// The revision that is live.
        rev_hash: RevHash,
        /// Its epoch.
        epoch: Epoch,
    },
    /// A deployment ended without a change; or, at stage `health` after its flip, it was found unhealthy and is taken back by
    /// a rollback of its own.
    DeployFailed {
        /// The task.
        task_id: TaskId,
        /// Where it ended.
        stage: String,
        /// In words for the author.
        reason: String,
    },
    /// The bot takes updates from Telegram.
    BotConnected {
        /// How.
        ingress: IngressMode,
    },
    /// The bot takes no updates any more.
    BotDisconnected {},
    /// The bot's updates wait from now on.
    BotPaused {},
    /// The bot's updates wait no longer.
    BotResumed {},
    /// Telegram shows the commands and descriptions of a revision.
    ProfilePublished {
        /// The revision.
        rev_hash: RevHash,
    },
    /// Telegram refused commands or descriptions of a revision.
    ProfileRefused {
        /// The revision.
        rev_hash: RevHash,
        /// In words for the author.
        reason: String,
    },
    /// Updates do not reach the bot as they should. Told once, when it begins or when something is added.
    WebhookDrifted {
        /// In words for the author.
        reason: String,
        /// Stable codes of what was found; none where somebody else asks for the updates of a polled bot.
        #[serde(default)]
        findings: Vec<WebhookFinding>,
    },
    /// Updates reach the bot again.
    WebhookRecovered {},
    /// An update or a message was set aside.
    DeadLettered {
        /// `in` (an update) or `out` (a message).
        direction: String,
        /// Id of the dead letter.
        id: String,
        /// Stable reason.
        reason: String,
    },
    /// What another version of the platform wrote. Nobody makes one but by reading it.
    #[serde(untagged)]
    Unknown(UnknownEvent),
}

/// An event of another version, whole. Serialises to what it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownEvent {
    /// 1 to 64 ASCII letters and digits: it becomes a line of the event stream.
    #[serde(deserialize_with = "event_name")]
    name: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl UnknownEvent {
    /// Name of the SSE event.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn event_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let good =
        (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good {
        Ok(name)
    } else {
        Err(D::Error::custom("not the name of an event"))
    }
}

impl BotEvent {
    /// Name of the SSE event.
    pub fn name(&self) -> &str {
        match self {
            Self::GenerateStarted { .. } => "GenerateStarted",
            Self::GenerateProgress { .. } => "GenerateProgress",
            Self::GenerateSucceeded { .. } => "GenerateSucceeded",
            Self::GenerateFailed { .. } => "GenerateFailed",
            Self::DeployStarted { .. } => "DeployStarted",
            Self::DeployProgress { .. } => "DeployProgress",
            Self::DeployFlipped { .. } => "DeployFlipped",
            Self::DeployFailed { .. } => "DeployFailed",
            Self::BotConnected { .. } => "BotConnected",
            Self::BotDisconnected {} => "BotDisconnected",
            Self::BotPaused {} => "BotPaused",
            Self::BotResumed {} => "BotResumed",
            Self::ProfilePublished { .. } => "ProfilePublished",
            Self::ProfileRefused { .. } => "ProfileRefused",
            Self::WebhookDrifted { .. } => "WebhookDrifted",
            Self::WebhookRecovered {} => "WebhookRecovered",
            Self::DeadLettered { .. } => "DeadLettered",
            Self::Unknown(event) => event.name(),
        }
    }
}

/// An event as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedEvent {
    /// Position in the project's log; grows by one.
    pub id: u64,
    /// The project.
    pub project: ProjectId,
    /// The bot.
    pub bot_id: BotId,
    /// When.
    pub at: TimestampMs,
    /// What.
    pub event: BotEvent,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hash::Sha256Hash;

    /// Any JSON, as deep as events may come to be.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn an_event_of_another_version_is_written_as_it_was_read(
            name in "New[A-Za-z0-9]{1,20}",
            data in any_json(),
            more in prop::collection::btree_map("[a-z]{5,9}", any_json(), 0..3),
        ) {
            let mut stored = json!({ "name": name, "data": data });
            for (key, value) in more {
                stored[key] = value;
            }
            let text = stored.to_string();
            let event: BotEvent = serde_json::from_str(&text).unwrap();
            prop_assert!(matches!(event, BotEvent::Unknown(_)));
            prop_assert_eq!(event.name(), name);
            let written = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), stored);
            prop_assert_eq!(serde_json::from_str::<BotEvent>(&written).unwrap(), event);
        }
    }

    #[test]
    fn a_known_event_with_something_unknown_in_it_is_carried_too() {
        let drifted = json!({
            "name": "WebhookDrifted",
            "data": { "reason": "r", "findings": ["webhook-missing", "found-by-a-newer-version"] },
        });
        let other = json!({ "name": "DeployFlipped", "data": { "revisions": ["a", "b"] } });
        let bare = json!({ "name": "SomethingWithoutData" });
        let more = json!({ "name": "ProfileRefused", "data": { "revHash": RevHash(Sha256Hash::of("rev")), "reason": "r", "field": "name" } });
        let first = json!({ "name": "BotPaused", "data": { "until": 7 } });
        let beside = json!({ "name": "BotDisconnected", "data": {}, "by": "somebody" });
        for stored in [drifted, other, bare, more, first, beside] {
            let event: BotEvent = serde_json::from_value(stored.clone()).unwrap();
            assert!(matches!(event, BotEvent::Unknown(_)), "{event:?}");
            assert_eq!(event.name(), stored["name"]);
            assert_eq!(serde_json::to_value(&event).unwrap(), stored);
        }
    }

    #[test]
    fn what_cannot_be_a_line_of_a_stream_is_no_event() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for name in ["", "Two\nlines", "with space", "ünknown", &long] {
            let stored = json!({ "name": name, "data": {} });
            assert!(serde_json::from_value::<BotEvent>(stored).is_err(), "{name:?}");
        }
        assert!(serde_json::from_value::<BotEvent>(json!({ "data": {} })).is_err());
    }
}
