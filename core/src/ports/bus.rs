//! Port: hints between parts of one installation.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::ActiveRevision;
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, ProjectId};

/// Something worth a look. Losing one delays, never breaks: every listener also reconciles every 1 to 2 seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Notice {
    /// A revision will go live soon (`rev:prepare`).
    RevisionPrepare {
        /// The bot.
        bot: BotId,
        /// The revision.
        rev: RevHash,
    },
    /// Updates start on this revision now (`rev:set`).
    RevisionSet {
        /// The bot.
        bot: BotId,
        /// The revision with its epoch.
        revision: ActiveRevision,
    },
    /// A bot's row changed: token, connection, suspension, deletion.
    BotChanged {
        /// The bot.
        bot: BotId,
    },
    /// The project's event log grew.
    EventLogged {
        /// The project.
        project: ProjectId,
    },
    /// Something was put before all nodes.
    Asked,
    /// A node answered an ask.
    Answered {
        /// The ask.
        ask: Uuid,
    },
    /// A session ended before its time.
    SessionEnded {
        /// Digest of its id.
        session: Sha256Hash,
    },
}

/// Broadcast of hints: never blocks, may lose, keeps no order between publishers.
#[async_trait]
pub trait Bus: Debug + Send + Sync {
    /// Tells everybody.
    async fn publish(&self, notice: Notice);

    /// Hears what is published from now on. A slow listener loses the oldest ones.
    fn subscribe(&self) -> broadcast::Receiver<Notice>;
}
