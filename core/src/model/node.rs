//! Processes of one installation.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::hash::RevHash;
use crate::ids::{BotId, InvalidId};
use crate::ports::ActiveRevision;

/// One process of an installation; a restart is another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Uuid);

impl NodeId {
    /// A new id of version 7: sorts by the time it was made.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for NodeId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| InvalidId { what: "node id" })
    }
}

/// What a node says of itself, twice a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeBeat {
    /// The node.
    pub node: NodeId,
    /// Whether it takes on bots; other nodes are no homes. One that goes down says `false` and ends what it began.
    pub runs_bots: bool,
    /// Whether it takes tasks of generation.
    pub generates: bool,
    /// Places for turns that nobody uses.
    pub free_turns: u32,
    /// All its places for turns; 0 on a node that never runs bots. Flips wait for all others.
    pub turns: u32,
    /// Version of the program.
    pub version: String,
}

/// What the deployer wants of every node that runs bots. Doing it twice is as good as once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Ask {
    /// Put the files of a revision on the node's disk.
    Stage {
        /// The bot.
        bot: BotId,
        /// The revision.
        rev: RevHash,
    },
    /// Load a revision into at least `min` sandboxes.
    Prewarm {
        /// The bot.
        bot: BotId,
        /// The revision.
        rev: RevHash,
        /// Sandboxes.
        min: u32,
    },
    /// Run a synthetic `/start` of an empty chat in a sandbox.
    Probe {
        /// The bot.
        bot: BotId,
        /// The revision.
        rev: RevHash,
    },
    /// Start no update of the bot on an epoch below this one.
    Raise {
        /// The bot.
        bot: BotId,
        /// What is live now.
        revision: ActiveRevision,
    },
}

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum AskAnswer {
    /// Done.
    Done,
    /// A probe's result.
    Probed {
        /// Messages it would have sent.
        messages: u32,
        /// Wall time of its calls, microseconds.
        wall_us: u64,
    },
    /// The program ended with this outcome of the sandbox.
    Outcome {
        /// `script_error`, `cpu_limit` …
        outcome: String,
        /// In words for the author.
        detail: String,
    },
    /// The files of the revision could not be read.
    Artifact {
        /// Code of the error.
        code: String,
        /// In words for the author.
        detail: String,
    },
    /// The node goes down, has no sandbox, or cannot run the bot as it is: count it as gone.
    Away,
}
