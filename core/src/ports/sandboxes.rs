//! Port: what the deployer needs of the runtime.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::ActiveRevision;
use crate::error::{Coded, Kind};
use crate::hash::RevHash;
use crate::ids::BotId;

/// What a synthetic `/start` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Messages it would have sent.
    pub messages: u32,
    /// Wall time of its calls, microseconds.
    pub wall_us: u64,
}

/// Why the runtime did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// No node runs bots.
    #[error("no runtime node")]
    NoNode,
    /// The program ended with this outcome (`script_error`, `cpu_limit` …).
    #[error("the program ended with {outcome}: {detail}")]
    Outcome {
        /// One of the outcomes of the sandbox.
        outcome: String,
        /// In words for the author.
        detail: String,
    },
    /// Its files could not be read.
    #[error("the revision could not be read: {code}: {detail}")]
    Artifact {
        /// Code of the artifact error.
        code: &'static str,
        /// In words.
        detail: String,
    },
    /// Not in time.
    #[error("the runtime did not answer in time")]
    Timeout,
}

impl Coded for SandboxError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoNode | Self::Timeout => Kind::Unavailable,
            // The store is away or full, the files may be sound.
            Self::Artifact { code, .. } if matches!(*code, "unavailable" | "storage-full") => {
                Kind::Unavailable
            }
            Self::Outcome { .. } | Self::Artifact { .. } => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoNode => "no-runtime-node",
            Self::Outcome { .. } => "health-failed",
            Self::Artifact { code, .. } => code,
            Self::Timeout => "runtime-timeout",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::NoNode => "No runtime node is alive.".to_owned(),
            Self::Outcome { outcome, detail } => {
                format!("The bot failed its health check with {outcome}: {detail}")
            }
            Self::Artifact { detail, .. } => detail.clone(),
            Self::Timeout => "The runtime did not answer in time.".to_owned(),
        }
    }
}

/// The runtime as the deployer and the control plane see it. Every method may be repeated.
#[async_trait]
pub trait Sandboxes: Debug + Send + Sync {
    /// Nodes that run bots and are alive.
    async fn live_nodes(&self) -> u32;

    /// Puts the files of a revision on every live node's disk.
    async fn stage(&self, bot: &BotId, rev: &RevHash) -> Result<(), SandboxError>;

    /// Loads a revision into at least `min` sandboxes on every live node.
    async fn prewarm(&self, bot: &BotId, rev: &RevHash, min: u32) -> Result<(), SandboxError>;

    /// Runs a synthetic `/start` of an empty chat in a real sandbox. Nothing is stored or sent.
    async fn probe(&self, bot: &BotId, rev: &RevHash) -> Result<ProbeReport, SandboxError>;

    /// Resolves when no live node will start an update of `bot` on an epoch below `revision.epoch`, or when `timeout`
    /// (the life of a revision lease) has passed, which comes to the same.
    async fn barrier(&self, bot: &BotId, revision: ActiveRevision, timeout: Duration);
}
