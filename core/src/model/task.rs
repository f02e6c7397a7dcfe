//! Work for the generator and the deployer.

use serde::{Deserialize, Serialize};

use crate::hash::RevHash;
use crate::ids::{BotId, ProjectId, TaskId, UserId};
use crate::model::TaskStatus;
use crate::time::TimestampMs;

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// `gen:tasks`.
    Generate,
    /// `deploy:tasks`.
    Deploy,
}

impl TaskKind {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Deploy => "deploy",
        }
    }
}

impl std::str::FromStr for TaskKind {
    type Err = crate::ids::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "generate" => Ok(Self::Generate),
            "deploy" => Ok(Self::Deploy),
            _ => Err(crate::ids::InvalidId { what: "task kind" }),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum TaskPayload {
    /// Build a revision.
    Generate {
        /// Version to build.
        spec_version: u32,
        /// `compiler`.
        model: String,
        /// Seed.
        seed: u64,
        /// Parameters of the model.
        params: serde_json::Map<String, serde_json::Value>,
    },
    /// Move the deployment with the same id as the task.
    Deploy {
        /// Revision to go live.
        rev_hash: RevHash,
        /// `flip`.
        strategy: String,
        /// Sandboxes to warm.
        prewarm: u32,
    },
}

impl TaskPayload {
    /// Which queue it belongs to.
    pub const fn kind(&self) -> TaskKind {
        match self {
            Self::Generate { .. } => TaskKind::Generate,
            Self::Deploy { .. } => TaskKind::Deploy,
        }
    }
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// Stable code with a page.
    pub code: String,
    /// In words.
    pub detail: String,
}

/// A task: the row is the truth, queue entries only say "look at it".
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Id.
    pub id: TaskId,
    /// Whose.
    pub project: ProjectId,
    /// The bot.
    pub bot: BotId,
    /// What is to be done.
    pub payload: TaskPayload,
    /// State.
    pub status: TaskStatus,
    /// 0 to 100.
    pub progress: u8,
    /// Result of a generation.
    pub rev_hash: Option<RevHash>,
    /// Why it failed.
    pub error: Option<TaskError>,
    /// Who asked.
    pub author: Option<UserId>,
    /// How often a worker took it.
    pub attempts: u32,
    /// When it was asked for.
    pub created_at: TimestampMs,
    /// Last change.
    pub updated_at: TimestampMs,
}
