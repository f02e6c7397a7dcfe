//! A deployment: the row that the deployer's state machine moves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, InvalidId, TaskId, UserId};
use crate::time::TimestampMs;

/// State of a task or a deployment, as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended without its effect.
    Failed,
}

impl TaskStatus {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will change any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl FromStr for TaskStatus {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(InvalidId { what: "task status" })
    }
}

/// Stages of a deployment in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Artifacts are there, whole, and pass the AST filter.
    Preflight,
    /// Artifacts are on every node's disk.
    Stage,
    /// Sandboxes hold the revision.
    Prewarm,
    /// A synthetic `/start` ran in a real sandbox.
    Health,
    /// Compare-and-set of the active revision; updates start on the new one from here on.
    Flip,
    /// Every live node acknowledged, or its revision lease ran out.
    Invalidate,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 6] = [
        Self::Preflight,
        Self::Stage,
        Self::Prewarm,
        Self::Health,
        Self::Flip,
        Self::Invalidate,
    ];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Stage => "stage",
            Self::Prewarm => "prewarm",
            Self::Health => "health",
            Self::Flip => "flip",
            Self::Invalidate => "invalidate",
        }
    }

    /// The stage after this one.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Preflight => Some(Self::Stage),
            Self::Stage => Some(Self::Prewarm),
            Self::Prewarm => Some(Self::Health),
            Self::Health => Some(Self::Flip),
            Self::Flip => Some(Self::Invalidate),
            Self::Invalidate => None,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or(InvalidId { what: "stage" })
    }
}

/// When a stage ran and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageRecord {
    /// Which.
    pub name: Stage,
    /// When it began.
    pub started_at: TimestampMs,
    /// When it ended; `None` while it runs.
    pub finished_at: Option<TimestampMs>,
    /// In words.
    pub detail: Option<String>,
}

/// Why a deployment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployError {
    /// Stable code with a page: `superseded`, `artifact-corrupt` …
    pub code: String,
    /// In words for the author.
    pub detail: String,
}

/// A deployment or a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Id, the same as of its task.
    pub task: TaskId,
    /// The bot.
    pub bot: BotId,
    /// State.
    pub status: TaskStatus,
    /// Where it is; the stage it failed in, once failed.
    pub stage: Stage,
    /// Stages begun so far.
    pub stages: Vec<StageRecord>,
    /// Live when the deployment was asked for.
    pub from_rev: Option<RevHash>,
    /// To go live.
    pub to_rev: RevHash,
    /// Epoch seen when the deployment was asked for: the flip succeeds only from here.
    pub seen_epoch: Epoch,
    /// Epoch of the flip, once it happened.
    pub epoch: Option<Epoch>,
    /// Whether it was asked for as a rollback.
    pub rollback: bool,
    /// Sandboxes to warm.
    pub min_sandboxes: u32,
    /// Why it failed.
    pub error: Option<DeployError>,
    /// Until when the outcomes of updates on its epoch are watched; `None`: not, or not any more.
    pub watch_until: Option<TimestampMs>,
    /// Why the platform went back by itself, in words: on the deployment that was found unhealthy, and on the rollback of it.
    pub reason: Option<String>,
    /// Who asked.
    pub author: Option<UserId>,
    /// When it was asked for.
    pub created_at: TimestampMs,
    /// Last change.
    pub updated_at: TimestampMs,
    /// Grows with every change; saving compares it.
    pub version: i64,
}
