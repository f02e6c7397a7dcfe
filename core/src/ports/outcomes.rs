//! Port: how updates ended, per bot and activation. By these counts the deployer judges a revision that went live.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreResult;
use crate::ids::{BotId, Epoch};

/// How long counts are kept of a bot for which nothing is counted any more.
pub const OUTCOMES_LIFE: Duration = Duration::from_hours(24);

/// Updates of one bot that its code was run for on one epoch, by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts {
    /// Committed.
    pub ok: u64,
    /// Whose first try failed, and by the program's own fault. One that a later try commits counts as `ok` too.
    pub failed: u64,
}

impl OutcomeCounts {
    /// Both together.
    pub const fn total(self) -> u64 {
        self.ok.saturating_add(self.failed)
    }
}

/// What a node counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotOutcomes {
    /// The bot.
    pub bot: BotId,
    /// The epoch on which the updates were run.
    pub epoch: Epoch,
    /// How they ended.
    pub counts: OutcomeCounts,
}

/// Counts of all nodes, added up. Never on the path of an update: what is lost with a node or a store makes a judgement
/// later, never wrong.
#[async_trait]
pub trait Outcomes: Debug + Send + Sync {
    /// Adds what was counted since the last call. Each bot keeps the newest epoch told of and the one before it; what is told
    /// of older ones is dropped. After an error some of it may have been added, so it must not be told again.
    async fn add(&self, counted: &[BotOutcomes]) -> StoreResult<()>;

    /// What was counted for an epoch so far; zeros where nothing was, or is not kept any more ([`OUTCOMES_LIFE`]).
    async fn counts(&self, bot: &BotId, epoch: Epoch) -> StoreResult<OutcomeCounts>;
}
