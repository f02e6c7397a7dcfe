//! What happened, for people who watch: the live events of a project. One enum serves the log, SSE and the audit trail.

use serde::{Deserialize, Serialize};

use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, ProjectId, TaskId};
use crate::model::{IngressMode, WebhookFinding};
use crate::time::TimestampMs;

/// Something that happened to a bot. Serialises to the payload of its SSE event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "data", rename_all_fields = "camelCase")]
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
}

impl BotEvent {
    /// Name of the SSE event.
    pub const fn name(&self) -> &'static str {
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
